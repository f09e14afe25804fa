"""Hold every copy of the repository's address equal to the one in pyproject.toml.

    python tools/address.py                               print the address and check its copies
    python tools/address.py https://github.com/me/course  move the project to a new address

The address stands once, in pyproject.toml under [project.urls]. README badges, launch buttons (_config.yml),
CITATION.cff, the Colab links and the bootstrap cell of each notebook are copies of it.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NAME = r"[A-Za-z0-9][\w.-]*?"
ADDRESS = re.compile(rf"https://github\.com/({NAME})/({NAME})(?:\.git)?/?")
REPOSITORY_LINE = re.compile(r'^(Repository\s*=\s*")([^"]+)(")', re.MULTILINE)
SLUG = rf"({NAME}/{NAME})(?=\.git|[/\"'\s\\)@#>;,]|\.?$)"
# Forms that only ever name this project; a plain link to another project's repository is none of them.
COPIES = [
    re.compile(pattern + SLUG, re.MULTILINE)
    for pattern in (
        r"colab\.research\.google\.com/github/",
        r"git\+https://github\.com/",
        r"git clone (?:--\S+(?: \d+)? )*https://github\.com/",
        r"img\.shields\.io/github/(?:actions/workflow/status/|[a-z-]+/)",
        r"mybinder\.org/v2/gh/",
        r"^repository-code: \"?https://github\.com/",
        r"^\s*(?:repository_url|url): \"?https://github\.com/",
    )
] + [re.compile(rf"https://github\.com/({NAME}/{NAME})/actions\b")]
SKIPPED = re.compile(r"(^|/)(\.venv|\.git|_build|build|dist|[._]\w*cache_*)/")  # only where git cannot say
MUST_HAVE = ("README.md", "_config.yml", "CITATION.cff")


def read_address(root: Path = ROOT) -> str:
    """Return ``owner/name`` as pyproject.toml gives it; raise ValueError if it is not a GitHub address."""
    match = REPOSITORY_LINE.search((root / "pyproject.toml").read_text("utf-8"))
    if match is None:
        raise ValueError("pyproject.toml has no Repository line under [project.urls]")
    return slug_of(match[2])


def slug_of(address: str) -> str:
    """Return ``owner/name`` of an address; Colab and the launch buttons work with GitHub's only."""
    match = ADDRESS.fullmatch(address)
    if match is None:
        raise ValueError(f"not of the form https://github.com/owner/name: {address}")
    return f"{match[1]}/{match[2]}"


def text_files(root: Path = ROOT) -> list[Path]:
    """Return the project's text files: those git knows or would add, or all but hidden ones without git."""
    command = ["git", "-C", str(root), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names: list[str] = []
    if (root / ".git").exists():
        listed = subprocess.run(command, capture_output=True, text=True, check=False)
        names = sorted(set(filter(None, listed.stdout.split("\0"))))
    if not names:
        found = (path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file())
        names = sorted(name for name in found if not SKIPPED.search(name))
    paths = [root / name for name in names]
    return [path for path in paths if path.is_file() and b"\0" not in path.read_bytes()[:8192]]


def faults(root: Path = ROOT) -> list[str]:
    """Return one line for each copy that differs and for each file that should hold a copy and has none."""
    slug, found = read_address(root), []
    for path in text_files(root):
        name, text = path.relative_to(root).as_posix(), path.read_text("utf-8", errors="replace")
        if name.startswith("tests/"):
            continue  # tests make addresses up
        for pattern in COPIES:
            for match in pattern.finditer(text):
                if match[1] != slug:
                    line = text.count("\n", 0, match.start()) + 1
                    found.append(f"{name}:{line}: {match[1]} where {slug} should stand")
    notebooks = sorted((root / "notebooks").glob("[0-9][0-9]_*.ipynb"))
    for path in [*(root / name for name in MUST_HAVE), *notebooks]:
        name = path.relative_to(root).as_posix()
        if not path.is_file():
            found.append(f"{name}: missing")
            continue
        text = path.read_text("utf-8")
        wanted = [f"github.com/{slug}"]
        if path.suffix == ".ipynb":
            lesson = f"{slug}/blob/main/notebooks/{path.name}"
            wanted = [f"colab.research.google.com/github/{lesson}", f"git+https://github.com/{slug}"]
        found += [f"{name}: no copy of {part}" for part in wanted if part not in text]
    return found


def rewrite(address: str, root: Path = ROOT) -> list[str]:
    """Put ``address`` in pyproject.toml and in every copy; return the names of the files changed."""
    old, new = read_address(root), slug_of(address)
    pairs = [
        (rf"(?<![\w.-]){re.escape(old)}(?![\w-])", new),
        (rf"\b{re.escape('.github.io/'.join(old.split('/')))}(?![\w-])", ".github.io/".join(new.split("/"))),
        (rf"\bcd {re.escape(old.split('/')[1])}(?![\w-])", f"cd {new.split('/')[1]}"),
    ]
    changed = []
    for path in text_files(root):
        text = before = path.read_bytes().decode("utf-8", errors="surrogateescape")
        for pattern, replacement in pairs:
            text = re.sub(pattern, replacement, text)
        if text != before:
            path.write_bytes(text.encode("utf-8", errors="surrogateescape"))
            changed.append(path.relative_to(root).as_posix())
    return changed


def main() -> int:
    """Run the command line; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("address", nargs="?", help="the new address, https://github.com/owner/name")
    options = parser.parse_args()
    try:
        if options.address:
            print("\n".join(rewrite(options.address)) or "nothing to change")
        problems = faults()
    except ValueError as error:
        print(f"address: {error}", file=sys.stderr)
        return 1
    print(f"https://github.com/{read_address()}")
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
