"""Folders of pictures, small or huge: find, detect, align, and let no single file spoil the run."""
