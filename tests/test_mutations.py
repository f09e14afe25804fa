"""Proof that the net holds: faults put into a copy of the package make its tests, or a lesson, fail.

Each mutation is one replacement in one file. The copy runs the tests named beside it; if they still pass,
nothing guards that line any more.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

MUTATIONS = {
    "two template points swapped": (
        "alignment.py",
        "[(38.2946, 51.6963), (73.5318, 51.5014)",
        "[(73.5318, 51.5014), (38.2946, 51.6963)",
        ["tests/test_alignment.py"],
        "04_alignment",
    ),
    "the + 1 of a box's side dropped": (
        "detect/boxes.py",
        "return boxes[:, 2:] - boxes[:, :2] + corner_pixels",
        "return boxes[:, 2:] - boxes[:, :2]",
        ["tests/detect/test_boxes.py", "tests/detect/test_mtcnn.py"],
        "02_cascade",
    ),
    "colours of a crop reversed": (
        "alignment.py",
        "    return cv2.warpAffine(image, matrix,",
        "    return cv2.warpAffine(np.ascontiguousarray(image[..., ::-1]), matrix,",
        ["tests/test_alignment.py"],
        "04_alignment",
    ),
    "a reflection allowed": (
        "alignment.py",
        "covariance = (p.conj() * q).sum(-1)",
        "covariance = (p * q).sum(-1)",
        ["tests/test_alignment.py"],
        None,
    ),
    "landmarks read as x, y, x, y": (
        "detect/networks.py",
        ".unflatten(1, (2, 5)).transpose(1, 2)",
        ".unflatten(1, (5, 2))",
        ["tests/detect/test_networks.py"],
        None,
    ),
    "rows and columns of a window exchanged": (
        "detect/boxes.py",
        "corner = PNet.stride * cells.flip(1).float()",
        "corner = PNet.stride * cells.float()",
        ["tests/detect/test_boxes.py"],
        None,
    ),
    "the last overlap taken over the union": (
        "detect/mtcnn.py",
        '.nms(0.7, overlap="min")',
        '.nms(0.7, overlap="union")',
        ["tests/detect/test_mtcnn.py"],
        None,
    ),
    "of equal scores the earlier kept": (
        "detect/boxes.py",
        "scores.argsort(stable=True).flip(0)",
        "scores.argsort(descending=True, stable=True)",
        ["tests/detect/test_mtcnn.py"],
        None,
    ),
    "EXIF rotation ignored": (
        "image.py",
        "return ImageOps.exif_transpose(image) or image",
        "return image",
        ["tests/test_image.py"],
        None,
    ),
    "the channels of crops given to a network as they are asked for, or the other way round": (
        "preprocess.py",
        'if self.colour == "BGR":',
        'if self.colour == "RGB":',
        ["tests/export/test_embedders.py", "tests/test_embedder.py"],
        "14_export_and_serve",
    ),
    "parity without what pairs feel": (
        "export/parity.py",
        "moved = abs(a @ a.T - b @ b.T)",
        "moved = 0 * abs(a @ a.T - b @ b.T)",
        ["tests/export/test_parity.py"],
        None,
    ),
    "a file that disagrees is written all the same": (
        "export/embedders.py",
        "if not found.lowest >= LIMITS[precision]:",
        "if not found.lowest >= -2:",
        ["tests/export/test_embedders.py"],
        "14_export_and_serve",
    ),
    "eight bits with one scale for a layer": (
        "export/quantise.py",
        "per_channel=True",
        "per_channel=False",
        ["tests/export/test_embedders.py"],
        None,
    ),
    "embeddings not normalised": (
        "embedder.py",
        "return vectors / np.linalg.norm(vectors, axis=1, keepdims=True).clip(min=1e-12)",
        "return vectors",
        ["tests/test_embedder.py"],
        "13_where_it_fails",
    ),
    "ArcFace's margin with the wrong sign": (
        "margins/fixed.py",
        "theta + self.m, self.beyond",
        "theta - self.m, self.beyond",
        ["tests/margins/test_equations.py"],
        "06_margins",
    ),
    "CosFace's margin with the wrong sign": (
        "margins/fixed.py",
        "return cosine - self.m",
        "return cosine + self.m",
        ["tests/margins/test_equations.py"],
        "06_margins",
    ),
    "SphereFace's margin with the wrong sign": (
        "margins/fixed.py",
        'self.m * theta, "fold"',
        '-self.m * theta, "fold"',
        ["tests/margins/test_equations.py"],
        "06_margins",
    ),
    "the combined angle with the wrong sign": (
        "margins/fixed.py",
        "self.m1 * theta + self.m2",
        "self.m1 * theta - self.m2",
        ["tests/margins/test_equations.py"],
        "06_margins",
    ),
    "the combined cosine with the wrong sign": (
        "margins/fixed.py",
        "self.beyond) - self.m3",
        "self.beyond) + self.m3",
        ["tests/margins/test_equations.py"],
        "06_margins",
    ),
    "MagFace's margin with the wrong sign": (
        "margins/adaptive.py",
        "theta + m, self.beyond",
        "theta - m, self.beyond",
        ["tests/margins/test_equations.py"],
        "06_margins",
    ),
    "AdaFace's angle with the wrong sign": (
        "margins/adaptive.py",
        "theta - self.m * z",
        "theta + self.m * z",
        ["tests/margins/test_equations.py"],
        "06_margins",
    ),
    "AdaFace's cosine with the wrong sign": (
        "margins/adaptive.py",
        "- self.m * (z + 1)",
        "+ self.m * (z + 1)",
        ["tests/margins/test_equations.py"],
        "06_margins",
    ),
    "CurricularFace's margin with the wrong sign": (
        "margins/adaptive.py",
        "theta + self.m, self.beyond",
        "theta - self.m, self.beyond",
        ["tests/margins/test_equations.py"],
        "06_margins",
    ),
    "UniFace's margin with the wrong sign": (
        "margins/adaptive.py",
        "return cosine - self.m",
        "return cosine + self.m",
        ["tests/margins/test_equations.py"],
        "06_margins",
    ),
    "exact gradients replaced by detached": (
        "margins/base.py",
        'if self.gradient == "detached":',
        "if True:",
        ["tests/margins/test_equations.py"],
        "06_margins",
    ),
    "detached gradients replaced by exact": (
        "margins/base.py",
        'if self.gradient == "detached":',
        "if False:",
        ["tests/margins/test_equations.py"],
        "06_margins",
    ),
    "s dropped from the target's logit": (
        "margins/base.py",
        "self.s * new[:, None]",
        "new[:, None]",
        ["tests/margins/test_equations.py"],
        "06_margins",
    ),
    "s dropped from the other logits": (
        "margins/base.py",
        "(self.s * cosine).scatter_",
        "(1 * cosine).scatter_",
        ["tests/margins/test_equations.py"],
        "06_margins",
    ),
    "no gradient at a cosine of 1": (
        "margins/base.py",
        "cosine + (cosine.clamp(-LIMIT, LIMIT) - cosine).detach()",
        "cosine.clamp(-LIMIT, LIMIT)",
        ["tests/margins/test_base.py", "tests/margins/test_promises.py"],
        "06_margins",
    ),
    "a margin where no class is": (
        "margins/base.py",
        "return torch.where(labels >= 0, new, target)",
        "return new",
        ["tests/margins/test_equations.py"],
        None,
    ),
    "the target counted twice in blocks": (
        "heads/chunked.py",
        "cosine.scatter_(1, index, torch.where(inside, -torch.inf, own))",
        "cosine = cosine.clone()",
        ["tests/heads/test_chunked.py"],
        None,
    ),
    "gradients of centres along the centres": (
        "heads/chunked.py",
        "slope.sub_(unit * (unit * slope).sum(1, keepdim=True)).div_(length)",
        "slope.div_(length)",
        ["tests/heads/test_chunked.py"],
        None,
    ),
    "the mean of the sub-centres": (
        "heads/classifiers.py",
        ".max(2).values",
        ".mean(2)",
        ["tests/heads/test_classifiers.py"],
        None,
    ),
    "the classes of the batch not drawn": (
        "heads/partial.py",
        "    chosen[labels[labels >= 0].to(device)] = True\n",
        "",
        ["tests/heads/test_partial.py"],
        "15_a_million_identities",
    ),
    "momentum of centres that were not drawn lost": (
        "heads/optimiser.py",
        "self.kept[name] if name in self.kept else torch.zeros_like",
        "torch.zeros_like",
        ["tests/heads/test_optimiser.py"],
        None,
    ),
    "each shard with a softmax of its own": (
        "heads/sharded.py",
        "target, rest, best = sums[0], top + sums[1].log(), most[1]",
        "target, best = sums[0], most[1]",
        ["tests/heads/test_sharded.py"],
        "15_a_million_identities",
    ),
    "the landmark loss of negatives not masked": (
        "detect/training_samples.py",
        "APPLIES = torch.tensor([[1, 0, 0],",
        "APPLIES = torch.tensor([[1, 0, 1],",
        ["tests/detect/test_training.py"],
        "03_teach_a_pnet",
    ),
    "equal scores parted": (
        "evaluate/ranking.py",
        "np.flatnonzero(np.append(falling[1:] != falling[:-1], True))",
        "np.arange(len(falling))",
        ["tests/evaluate/test_verify.py"],
        "11_verification",
    ),
    "each fold judged by its own threshold": (
        "evaluate/verify.py",
        "ranking.best_threshold(among=rest)",
        "ranking.best_threshold(among=~rest)",
        ["tests/evaluate/test_verify.py"],
        "11_verification",
    ),
    "the own person ahead of itself": (
        "evaluate/searching.py",
        "scores[here, local[here]] = -np.inf",
        "scores[here, local[here]] += 0",
        ["tests/evaluate/test_identify.py"],
        "12_identification",
    ),
    "each frame of a video counted like a photo": (
        "evaluate/templates.py",
        "axis=0) / size[some, None]",
        "axis=0)",
        ["tests/evaluate/test_templates.py"],
        "12_identification",
    ),
    "the sign of the offsets to learn turned round": (
        "detect/training_samples.py",
        "return (faces - windows) / side.repeat(1, 2)",
        "return (windows - faces) / side.repeat(1, 2)",
        ["tests/detect/test_training_samples.py"],
        None,
    ),
}


def copy_with(folder: Path, file: str, old: str, new: str) -> Path:
    """A copy of package and tests in which one line of the package is wrong."""
    for name in ("facelib", "tests"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    path = folder / "facelib" / file
    source = path.read_text("utf-8")
    assert source.count(old) == 1, f"{file} no longer contains exactly one {old!r}: name the new line here"
    path.write_text(source.replace(old, new), "utf-8")
    return folder


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(folder), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)


@pytest.mark.slow
@pytest.mark.parametrize("name", MUTATIONS)
def test_a_fault_in_the_package_fails_its_tests(name, tmp_path):
    file, old, new, tests, _ = MUTATIONS[name]
    result = run(copy_with(tmp_path, file, old, new), *tests)
    assert result.returncode == 1, result.stdout[-2000:]
    assert " failed" in result.stdout and "error" not in result.stdout.splitlines()[-1]


@pytest.mark.slow
@pytest.mark.course
@pytest.mark.parametrize("name", [name for name, mutation in MUTATIONS.items() if mutation[-1]])
def test_a_fault_in_the_package_fails_a_lesson(name, tmp_path):
    file, old, new, _, lesson = MUTATIONS[name]
    folder = copy_with(tmp_path, file, old, new)
    shutil.copy(ROOT / "conftest.py", folder)
    notebook = shutil.copy(ROOT / "notebooks" / f"{lesson}.ipynb", folder)
    result = run(folder, "--nbval", str(notebook))
    assert result.returncode == 1, result.stdout[-2000:]
    assert " failed" in result.stdout


def test_the_untouched_copy_passes(tmp_path):
    """So that the failures above come from the faults, and not from copying."""
    folder = copy_with(tmp_path, "alignment.py", "import cv2", "import cv2  # no fault")
    result = run(folder, "tests/test_alignment.py", "tests/test_faces.py", "tests/detect/test_boxes.py")
    assert result.returncode == 0, result.stdout[-2000:]
