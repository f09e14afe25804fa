"""What this machine has, what it lacks, and which lessons will be slow on it.

Everything is asked for in a way that also works where torch, or any other package, is missing or broken.
"""

from __future__ import annotations

import importlib
import json
import os
import platform
import shutil
import sys
import time
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

from . import __version__

REFERENCE_MS = 42.0
"""Milliseconds that ``probe`` measured on the two cores on which the seconds in lessons.json were recorded."""

SLOW_SECONDS = 60
EXTRAS = ("book", "test", "data", "train", "search", "export")
MODULES: dict[str, str | None] = {  # of the packages that facelib imports, where the name differs
    "opencv-python-headless": "cv2",
    "pillow": "PIL",
    "scikit-image": "skimage",
    "scikit-learn": "sklearn",
    "facenet-pytorch": None,  # only its files are used
}


def diagnose() -> dict[str, Any]:
    """All findings, JSON-ready. ``healthy`` is false when something that facelib needs is missing.

    ``problems`` is a list of {"what", "remedy"}.
    """
    packages = check_packages()
    findings: dict[str, Any] = {
        "facelib": __version__,
        "machine": check_machine(),
        "devices": check_devices(),
        "packages": packages,
        "weights": check_weights(),
        "probe_ms": _guarded(probe),
    }
    findings["lessons"] = foretell_lessons(findings["probe_ms"], packages)
    findings["problems"] = _problems(findings)
    findings["healthy"] = not findings["problems"]
    return findings


def check_machine() -> dict[str, Any]:
    """Python, platform, cores, memory and free disk space; GB are 10**9 bytes."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "python": platform.python_version(),
        "executable": sys.executable,
        "platform": platform.platform(terse=True) + " " + platform.machine(),
        "cores": cores,
        "memory_gb": _guarded(_memory_gb),
        "disk_free_gb": _guarded(lambda: round(shutil.disk_usage(".").free / 1e9, 1)),
    }


def _memory_gb() -> float:
    """Memory of the machine, or the container's share of it if that is less."""
    if sys.platform == "win32":
        import ctypes

        amounts = (ctypes.c_ulonglong * 8)(64)  # MEMORYSTATUSEX: its own length, then load, total, available, ...
        ctypes.windll.kernel32.GlobalMemoryStatusEx(ctypes.byref(amounts))
        return round(amounts[1] / 1e9, 1)
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for limit in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        text = Path(limit).read_text().strip() if Path(limit).exists() else ""
        total = min(total, int(text)) if text.isdigit() else total
    return round(total / 1e9, 1)


def check_devices() -> dict[str, Any]:
    """torch's version and what it can compute on; ``error`` if torch cannot be imported."""
    try:
        import torch

        found = []
        for index in range(torch.cuda.device_count() if torch.cuda.is_available() else 0):
            properties = torch.cuda.get_device_properties(index)
            memory = round(properties.total_memory / 1e9, 1)
            found.append({"device": f"cuda:{index}", "name": properties.name, "memory_gb": memory})
        if torch.backends.mps.is_available():
            found.append({"device": "mps", "name": platform.processor() or "Apple", "memory_gb": None})
        return {"torch": torch.__version__, "threads": torch.get_num_threads(), "gpus": found}
    except Exception as error:  # OSError and RuntimeError too, from libraries that do not fit together
        return {"error": _short(error)}


def check_packages() -> list[dict[str, Any]]:
    """Each package that facelib's metadata asks for.

    Fields: name, wanted, extra ("" for the core), found (version or None), state: "ok", "missing", "unfit" (another
    version is wanted) or "broken" (cannot be imported), and error.
    """
    try:
        from packaging.requirements import Requirement

        wanted = [Requirement(text) for text in metadata.requires("facelib") or []]
    except (ImportError, metadata.PackageNotFoundError):
        return []
    rows: list[dict[str, Any]] = []
    for extra in ("", *EXTRAS):
        for requirement in wanted:
            marker = requirement.marker
            if marker is None and extra or marker is not None and not marker.evaluate({"extra": extra}):
                continue
            if extra and any(row["name"] == requirement.name and not row["extra"] for row in rows):
                continue
            text = f"{requirement.name}{requirement.specifier}"
            rows.append({"name": requirement.name, "wanted": text, "extra": extra, **_state(requirement, not extra)})
    return rows


def _state(requirement: Any, try_import: bool) -> dict[str, Any]:
    module = MODULES.get(requirement.name, requirement.name.replace("-", "_"))
    error, found = "", None
    if try_import and module is not None:
        try:
            importlib.import_module(module)
        except Exception as fault:
            error = _short(fault)
    try:
        found = metadata.version(requirement.name)
    except metadata.PackageNotFoundError:
        # opencv-python serves as well as opencv-python-headless: the module counts, whoever brought it
        if try_import and module is not None:
            found = getattr(sys.modules.get(module), "__version__", None)
    if found is None:
        return {"found": None, "state": "missing", "error": error}
    if error:
        return {"found": found, "state": "broken", "error": error}
    fits = requirement.specifier.contains(found, prereleases=True)
    return {"found": found, "state": "ok" if fits else "unfit", "error": ""}


def check_weights() -> dict[str, Any]:
    """Whether the detector's three weight files are there and load."""
    try:
        from .detect.networks import ONet, PNet, RNet, load_weights, weights_folder

        load_weights(PNet()), load_weights(RNet()), load_weights(ONet())
        return {"folder": str(weights_folder()), "loaded": True}
    except Exception as error:
        return {"loaded": False, "error": _short(error)}


def probe(seconds: float = 0.5) -> float:
    """Milliseconds the detector takes for the astronaut (512 x 512, faces of 20 px and more): the best of several.

    On one thread, which other programs disturb least; networks this small gain little from more.
    """
    import torch

    from . import samples
    from .detect import MTCNN

    mtcnn, image = MTCNN(), samples.astronaut()
    times: list[float] = []
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        mtcnn.detect(image)  # the first call is slower
        end = time.perf_counter() + seconds
        while not times or time.perf_counter() < end:
            start = time.perf_counter()
            mtcnn.detect(image)
            times.append(time.perf_counter() - start)
    finally:
        torch.set_num_threads(threads)
    return round(1000 * min(times), 1)


def foretell_lessons(probe_ms: float | None, packages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Lessons that can be read now, with the seconds each should take here and why one will be slow or not run.

    The recorded seconds are scaled by how much slower or faster the detector is here than where they were recorded.
    """
    ratio = None if probe_ms is None else probe_ms / REFERENCE_MS
    lacking = {row["extra"] for row in packages if row["extra"] and row["state"] != "ok"}
    lessons = []
    for lesson in read_lessons():
        if not lesson["ready"]:
            continue
        recorded, reasons = lesson["seconds"], []
        here = None if recorded is None or ratio is None else round(recorded * ratio, 1)
        if here is not None and ratio is not None and here > SLOW_SECONDS:
            pace = f"{ratio:.1f} times the recorded {recorded:g} s" if ratio > 1.1 else f"{recorded:g} s on two cores"
            reasons.append(f"slow: about {here:.0f} s, {pace}")
        reasons += [f'needs the extra "{extra}"' for extra in lesson["needs"] if extra in lacking]
        keys = {key: lesson[key] for key in ("number", "title")}
        lessons.append({**keys, "recorded_s": recorded, "here_s": here, "notes": reasons})
    return lessons


def read_lessons() -> list[dict[str, Any]]:
    """The list of lessons that ships with the package."""
    return json.loads(Path(__file__).with_name("lessons.json").read_text("utf-8"))


def _problems(findings: dict[str, Any]) -> list[dict[str, str]]:
    problems = []
    bad = [row for row in findings["packages"] if not row["extra"] and row["state"] != "ok"]
    for row in bad:
        detail = {"missing": "is not installed", "unfit": f"is {row['found']}, wanted is {row['wanted']}"}
        what = f"{row['name']} {detail.get(row['state'], 'cannot be imported: ' + row['error'])}"
        force = "--force-reinstall " if row["state"] == "broken" else ""
        problems.append({"what": what, "remedy": pip_install([row["wanted"]], force)})
    named = {row["name"] for row in bad}
    if "error" in findings["devices"] and "torch" not in named:
        problems.append(
            {
                "what": f"torch: {findings['devices']['error']}",
                "remedy": pip_install(["torch>=2.4", "torchvision>=0.19"]),
            }
        )
    if not findings["weights"]["loaded"] and not named & {"torch", "torchvision", "numpy", "facenet-pytorch"}:
        what = f"the detector's weights: {findings['weights']['error']}"
        problems.append(
            {"what": what, "remedy": pip_install(["facenet-pytorch>=2.5.3,<2.6"], "--force-reinstall --no-deps ")}
        )
    return problems


def pip_install(requirements: list[str], options: str = "") -> str:
    """The exact command for this Python."""
    python = f'"{sys.executable}"' if " " in sys.executable else sys.executable
    return f"{python} -m pip install {options}" + " ".join(f'"{text}"' for text in requirements)


def render(findings: dict[str, Any]) -> str:
    """The findings as a page of text."""
    machine, devices, weights = findings["machine"], findings["devices"], findings["weights"]
    gpus = [" ".join(str(x) for x in (g["device"], g["name"], g["memory_gb"] and f"{g['memory_gb']} GB") if x)
            for g in devices.get("gpus", [])]  # fmt: skip
    probe_ms = findings["probe_ms"]
    rows = [
        ("facelib", findings["facelib"]),
        ("Python", f"{machine['python']}  {machine['executable']}"),
        ("platform", machine["platform"]),
        ("CPU cores", machine["cores"]),
        ("memory", f"{machine['memory_gb']} GB"),
        ("disk", f"{machine['disk_free_gb']} GB free here"),
        ("torch", devices.get("torch") or devices["error"]),
        ("GPU", ", ".join(gpus) or "none: everything runs on the CPU, and the lessons are made for that"),
        ("weights", weights["folder"] if weights["loaded"] else weights["error"]),
        ("detector", "not timed" if probe_ms is None else f"{probe_ms} ms for a picture of 512 x 512"),
    ]
    lines = [f"{name:<10} {value}" for name, value in rows] + ["", "Packages"]
    lines += [
        f"  {row['name']:<26} {row['found'] or '-':<14} {row['state']}"
        for row in findings["packages"]
        if not row["extra"]
    ]
    if not findings["packages"]:
        lines.append("  not checked: facelib is on the path but not installed; in its folder run: pip install -e .")
    for extra in EXTRAS:
        missing = [row["wanted"] for row in findings["packages"] if row["extra"] == extra and row["state"] != "ok"]
        if missing:
            lines.append(f'  not complete: the extra "{extra}", which you may not need; to get it:')
            lines.append(f"    {pip_install(missing)}")
    lines += ["", "Lessons"]
    for lesson in findings["lessons"]:
        here = "not timed yet" if lesson["here_s"] is None else f"about {lesson['here_s']:.0f} s here"
        lines.append(f"  {lesson['number']} {lesson['title']:<42} {'; '.join(lesson['notes']) or here}")
    lines += ["", "All that facelib needs is here." if findings["healthy"] else "Missing or broken:"]
    lines += [f"  {problem['what']}\n    {problem['remedy']}" for problem in findings["problems"]]
    return "\n".join(lines)


def _guarded(question: Callable[[], Any]) -> Any:
    try:
        return question()
    except Exception:
        return None


def _short(error: BaseException) -> str:
    return f"{type(error).__name__}: {(str(error).strip() or '-').splitlines()[0]}"
