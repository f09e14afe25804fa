"""The repository's own small commands: address, notebooks, lock, browser."""
