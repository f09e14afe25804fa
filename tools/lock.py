"""Write environment.yml from requirements.lock, or both from the environment that runs this.

    python tools/lock.py            environment.yml from requirements.lock
    python tools/lock.py --freeze   requirements.lock from the installed packages first
    python tools/lock.py --check    change nothing; exit 1 if environment.yml is not what the lock says

requirements.lock is the whole environment, one ``name==version`` a line. environment.yml repeats only the
packages that pyproject.toml names, at the lock's versions.
"""

from __future__ import annotations

import argparse
import re
import sys
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parent.parent
EXTRAS = ("book", "test", "data", "train", "export")  # what the lock covers, beside the package itself
# PyTorch pins its CUDA packages itself, and only on Linux: a lock that names them installs nowhere else.
LEFT_TO_TORCH = re.compile(r"^(nvidia-|cuda-|triton$)")
NOT_PINNED = {"facelib", "pip"}

CONDA_HEAD = """\
# For conda users: conda env create -f environment.yml && conda activate facelib
# Written by tools/lock.py from requirements.lock; a test holds the two equal.
name: facelib
channels:
  - conda-forge
dependencies:
  - python=3.11
  - pip
  - pip:
"""


def read_lock(root: Path = ROOT) -> dict[str, str]:
    """Return {name: version} of requirements.lock; raise ValueError at a line that is not a plain pin."""
    pins = {}
    for number, line in enumerate((root / "requirements.lock").read_text("utf-8").splitlines(), start=1):
        match = re.fullmatch(r"([a-z0-9][a-z0-9-]*)==([A-Za-z0-9.!]+)", line)
        if match is None:
            raise ValueError(f"requirements.lock:{number}: not a plain name==version: {line!r}")
        pins[match[1]] = match[2]
    return pins


def direct_names(root: Path = ROOT) -> list[str]:
    """Return the packages that pyproject.toml names in its core and in the extras of the lock, sorted.

    What only an older Python needs is left out: the lock is for 3.11.
    """
    project = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["project"]
    groups = [project["dependencies"], *(project["optional-dependencies"][extra] for extra in EXTRAS)]
    wanted = [Requirement(line) for group in groups for line in group]
    here = {"python_version": "3.11", "python_full_version": "3.11.0"}
    return sorted({canonicalize_name(r.name) for r in wanted if r.marker is None or r.marker.evaluate(here)})


def environment(root: Path = ROOT) -> str:
    """Return the text of environment.yml; raise ValueError if the lock lacks a package of pyproject."""
    pins = read_lock(root)
    names = direct_names(root)
    missing = [name for name in names if name not in pins]
    if missing:
        raise ValueError(f"requirements.lock lacks {', '.join(missing)}; install them and run with --freeze")
    return CONDA_HEAD + "".join(f"      - {name}=={pins[name]}\n" for name in names) + "      - -e .\n"


def frozen() -> str:
    """Return the lock of the running environment: every package but PyTorch's CUDA ones, pip and facelib."""
    pins = {canonicalize_name(dist.name): dist.version for dist in metadata.distributions()}
    kept = (name for name in pins if name not in NOT_PINNED and not LEFT_TO_TORCH.match(name))
    return "".join(f"{name}=={pins[name]}\n" for name in sorted(kept))


def main() -> int:
    """Run the command line; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    group = parser.add_mutually_exclusive_group()
    group.add_argument("--freeze", action="store_true", help="rewrite requirements.lock first")
    group.add_argument("--check", action="store_true", help="change nothing, exit 1 at a difference")
    options = parser.parse_args()
    target = ROOT / "environment.yml"
    if options.freeze:
        (ROOT / "requirements.lock").write_text(frozen(), "utf-8")
    text = environment()
    if options.check:
        same = target.read_text("utf-8") == text
        print("environment.yml equals the lock" if same else "environment.yml differs: run tools/lock.py")
        return 0 if same else 1
    target.write_text(text, "utf-8")
    print(f"environment.yml: {text.count('==')} pins from {len(read_lock())} locked packages")
    return 0


if __name__ == "__main__":
    sys.exit(main())
