"""Templates: several pictures of one occasion are one vector, and vectors are compared, as IJB-B and IJB-C ask for::

    lists = facelib.evaluate.read_ijb("IJBC/meta")
    vectors, ids = pool(embeddings, lists.templates, lists.media, weights=lists.scores)  # embeddings of lists.names
    print(template_verification(vectors, ids, *lists.pairs))
    for gallery in lists.galleries.values():
        print(template_identification(vectors, ids, gallery, lists.probes))  # people of the other are strangers

A video of a thousand frames must not outweigh a photograph: pooling sees to that. Millions of pairs are scored a block
at a time; their rates are exact all the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import FaceLibError
from .identify import Identification, identification
from .ranking import Interval, wilson
from .vectors import BLOCK, as_array, checked, lengths, unit
from .verify import FARS


def pool(embeddings: Any, templates: Any, media: Any, weights: Any = None) -> tuple[np.ndarray, np.ndarray]:
    """One unit vector for each template: the mean inside every medium, then the sum over media::

        v(t) = u(t) / |u(t)|,    u(t) = sum over media m of t of  1 / |m| * sum over pictures i of m of  w(i) x(i)

    So a video of a thousand frames counts like a photograph (lesson 12, eq. 12.4). As in insightface's scripts,
    weights scale the pictures and the mean still divides by their number ``|m|``.

    Parameters
    ----------
    embeddings : (N, D)
        x, arrays or tensors. They are used at the length they have: unit vectors of an ``Embedder`` count alike.
    templates, media : (N,)
        Whole numbers. Pictures of one medium in two templates are kept apart.
    weights : (N,)
        w, not below 0: the detector's scores, for one. 1 if left out.

    Returns
    -------
    vectors : float32 (T, D)
    ids : int64 (T,)
        Their templates, rising.

    Raises
    ------
    FaceLibError
        Shapes that do not fit, NaN, weights below 0, a template whose pictures cancel out or all have weight 0.
    """
    x = checked(embeddings, "embeddings")
    keys = [_whole(values, len(x), what) for values, what in ((templates, "templates"), (media, "media"))]
    w = np.ones(len(x)) if weights is None else as_array(weights).astype(np.float64)
    if w.shape != (len(x),) or not (np.isfinite(w) & (w >= 0)).all():
        raise FaceLibError(f"weights: expected {len(x)} finite numbers, none below 0")
    order = np.lexsort(keys[::-1])
    template, medium = (key[order] for key in keys)
    new = np.append(True, template[1:] != template[:-1])[: len(x)]
    first = np.flatnonzero(new)  # of each template
    inside = np.flatnonzero(new | np.append(True, medium[1:] != medium[:-1])[: len(x)])  # and of each medium in it
    size = np.diff(np.append(inside, len(x)))
    vectors = np.empty((len(first), x.shape[1]), dtype=np.float32)
    ends = np.append(first[1:], len(x))
    begin = 0
    while begin < len(first):  # templates of some 8192 pictures together
        last = max(begin + 1, int(np.searchsorted(ends, first[begin] + BLOCK, side="right")))
        rows = order[first[begin] : ends[last - 1]]
        scaled = x[rows].astype(np.float64) * w[rows][:, None]
        some = slice(*np.searchsorted(inside, [first[begin], ends[last - 1]]))
        means = np.add.reduceat(scaled, inside[some] - first[begin], axis=0) / size[some, None]
        where = np.searchsorted(inside[some], first[begin:last])
        sums = np.add.reduceat(means, where, axis=0)
        apart = np.add.reduceat(lengths(means), where)  # what the sum's length would be, were all of one direction
        empty = np.flatnonzero(lengths(sums) <= 1e-6 * apart)
        if len(empty):
            name = template[first[begin + empty[0]]]
            raise FaceLibError(f"template {name}: its pictures cancel out, or all have weight 0: it has no direction")
        vectors[begin:last] = unit(sums)
        begin = last
    return vectors, template[first]


@dataclass(frozen=True, eq=False, repr=False)
class TemplateVerification:
    """What millions of scored pairs of templates say: TAR at FAR, in 1:1 terms 1 - FNMR at FMR. Intervals are 95 %.

    Attributes
    ----------
    scores : float32 (P,)
        Cosine of each pair.
    same : bool (P,)
    genuine, impostor : float32
        The scores of either kind, rising.
    """

    scores: np.ndarray
    same: np.ndarray
    genuine: np.ndarray
    impostor: np.ndarray

    def threshold_at(self, far: float) -> float:
        """The lowest threshold above which at most a share ``far`` of the different pairs lie; halfway between scores.

        Only scores of different pairs decide, so it lies next to one: nothing is interpolated, no grid is walked.
        """
        if not 0 <= far <= 1:
            raise FaceLibError(f"far={far}: a false accept rate is a fraction, from 0 to 1")
        count = len(self.impostor)
        allowed = round(far * count)
        while allowed / count > far:
            allowed -= 1
        if allowed == count:
            return float("-inf")
        first = self.impostor[count - 1 - allowed]  # the highest that must not be accepted, nor what is equal to it
        above = [side[np.searchsorted(side, first, side="right") :][:1] for side in (self.genuine, self.impostor)]
        following = np.concatenate(above)
        if not len(following):
            return float("inf")
        return (float(first) + float(following.min())) / 2  # float32 halves are exact in float64

    def tar_at(self, far: float) -> float:
        """True accept rate at ``threshold_at(far)``."""
        accepted = len(self.genuine) - np.searchsorted(self.genuine, self.threshold_at(far), side="right")
        return float(accepted / len(self.genuine))

    def tar_interval(self, far: float) -> Interval:
        """Wilson's interval of ``tar_at``, with the threshold taken as given and pairs as if they were independent.

        They are not: of IJB-C's 19,557 same pairs many share a template or a person. Read it as the least width.
        """
        return wilson(self.tar_at(far), len(self.genuine))

    def __repr__(self) -> str:
        return f"<TemplateVerification of {len(self.same)} pairs: TAR {self.tar_at(1e-4):.4f} at FAR 0.0001>"

    def __str__(self) -> str:
        lines = [
            f"{len(self.same)} pairs of templates, {len(self.genuine)} same, {len(self.impostor)} different;"
            " intervals of 95 %"
        ]
        for far in FARS:
            if far * len(self.impostor) >= 1:
                low, high = self.tar_interval(far)
                rate = f"{100 * self.tar_at(far):6.2f} %  [{100 * low:6.2f}, {100 * high:6.2f}]"
                lines.append(f"TAR at FAR {far:<6g} {rate}  above {self.threshold_at(far):.4f}")
        return "\n".join(lines)


def template_verification(vectors: Any, ids: Any, first: Any, second: Any, same: Any) -> TemplateVerification:
    """1:1 over pairs of templates, by cosine.

    Parameters
    ----------
    vectors : (T, D)
        Of ``pool``, or any of length above 0.
    ids : (T,)
        Their templates, in any order.
    first, second : (P,)
        Templates to compare.
    same : bool (P,)

    Raises
    ------
    FaceLibError
        Shapes that do not fit, a template without a vector, only one kind of pairs.

    Notes
    -----
    8,192 pairs are scored at a time: beyond what is passed this takes the vectors once more as float32, some 20 bytes
    a pair while sorting, and 50 MB (``benchmarks/templates.py`` measures it).
    """
    x = checked(vectors, "vectors")
    x = unit(x) if len(x) else x
    label = as_array(same)
    if label.ndim != 1 or not np.isin(label, (0, 1)).all():
        raise FaceLibError("same: expected True or False, 1 or 0, for each pair")
    label = label.astype(bool)
    places = _Places(ids, len(x))
    a, b = (_whole(values, len(label), what) for values, what in ((first, "first"), (second, "second")))
    scores = np.empty(len(label), dtype=np.float32)
    for start in range(0, len(label), BLOCK):
        some = slice(start, start + BLOCK)
        scores[some] = np.einsum("nd,nd->n", x[places.of(a[some])], x[places.of(b[some])])
    if not label.any() or label.all():
        missing = "different" if label.any() else "same"
        raise FaceLibError(f"{len(label)} pairs, no {missing} one among them: both kinds are needed")
    genuine, impostor = np.sort(scores[label]), scores[~label]
    impostor.sort()
    return TemplateVerification(scores, label, genuine, impostor)


def template_identification(
    vectors: Any, ids: Any, gallery: tuple[Any, Any], probes: tuple[Any, Any], distractors: Any = None
) -> Identification:
    """1:N over templates: ``identification`` of the probes' vectors among the gallery's.

    Parameters
    ----------
    vectors, ids : (T, D), (T,)
        Of ``pool``.
    gallery, probes : (templates, subjects)
        As of ``read_subjects``. Probes whose subject is not in the gallery are strangers: IJB-C tests its two
        galleries one by one so, and prints the mean.
    distractors : (M, D)
        As of ``identification``.

    Raises
    ------
    FaceLibError
        A template without a vector, and what ``identification`` raises.
    """
    x = checked(vectors, "vectors")
    places = _Places(ids, len(x))
    rows = [places.of(_whole(templates, len(templates), "templates")) for templates, _ in (gallery, probes)]
    return identification(x[rows[0]], gallery[1], x[rows[1]], probes[1], distractors=distractors)


class _Places:
    """Template -> row."""

    def __init__(self, ids: Any, count: int) -> None:
        ids = _whole(ids, count, "ids")
        self.order = np.argsort(ids, kind="stable")
        self.ids = ids[self.order]
        twice = np.flatnonzero(self.ids[1:] == self.ids[:-1])
        if len(twice):
            raise FaceLibError(f"ids: template {self.ids[twice[0]]} has two vectors")

    def of(self, templates: np.ndarray) -> np.ndarray:
        if not len(self.ids):
            raise FaceLibError("vectors: no rows, no template has a vector")
        place = np.searchsorted(self.ids, templates).clip(max=len(self.ids) - 1)
        lost = np.flatnonzero(self.ids[place] != templates)
        if len(lost):
            raise FaceLibError(f"template {templates[lost[0]]} has no vector: were all its pictures left out?")
        return self.order[place]


def _whole(values: Any, count: int, what: str) -> np.ndarray:
    array = as_array(values)
    if array.shape != (count,) or (count and array.dtype.kind not in "iu"):
        raise FaceLibError(f"{what}: {array.dtype} of shape {array.shape}, expected {count} whole numbers")
    return array
