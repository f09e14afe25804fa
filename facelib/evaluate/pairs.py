"""Pairs to verify, drawn from labels."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import FaceLibError

ALL_PAIRS = 20_000_000
"""Where drawing finds no new pair any more, all pairs are looked at, as long as there are no more than these."""


def random_pairs(labels: Any, count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Random pairs of pictures for ``verification``, half of them same, in random order.

    No pair comes twice, in either order. In the same half every identity comes up equally often, +-1, as long as it has
    enough pairs for that: of n pictures only n (n - 1) / 2 can be made. So it does in the other half, unless so many
    pairs are wanted that those of some identities run out.

    Parameters
    ----------
    labels : (N,)
        Who is in each picture: numbers or names.
    count : int
        Pairs; of an odd number, one more is different.
    seed : int

    Returns
    -------
    a, b : int64 (count,)
        Rows of ``labels``.
    same : bool (count,)

    Raises
    ------
    FaceLibError
        When there are not so many pairs.
    """
    labels = np.asarray(labels.cpu() if hasattr(labels, "cpu") else labels)
    if labels.ndim != 1 or count < 2:
        raise FaceLibError(f"labels of shape {labels.shape}, count={count}: expected (N,) and at least 2 pairs")
    people, who = np.unique(labels, return_inverse=True)
    sizes = np.bincount(who, minlength=len(people))
    rows = np.argsort(who, kind="stable")  # pictures of person k: rows[start[k] : start[k] + sizes[k]]
    possible = int((sizes * (sizes - 1) // 2).sum()), (len(who) ** 2 - int((sizes**2).sum())) // 2
    wanted = count // 2, count - count // 2
    for kind, have, want in zip(("same", "different"), possible, wanted, strict=True):
        if have < want:
            raise FaceLibError(f"{want} {kind} pairs wanted, but the labels allow only {have}: ask for fewer pairs")
    random = np.random.default_rng(seed)
    start = np.cumsum(sizes) - sizes
    pairs = np.concatenate([_same(sizes, start, wanted[0], random), _different(sizes, start, wanted[1], random)])
    pairs = rows[random.permuted(pairs, axis=1)]
    order = random.permutation(count)
    return pairs[order, 0], pairs[order, 1], order < wanted[0]


def _same(sizes: np.ndarray, start: np.ndarray, wanted: int, random: np.random.Generator) -> np.ndarray:
    """(wanted, 2) places in the sorted pictures, everybody's share as equal as the number of pictures allows."""
    room = sizes * (sizes - 1) // 2
    share = np.minimum(room, _level(room, wanted))
    spare = np.flatnonzero(room > share)  # some of these take one more
    share[random.permutation(spare)[: wanted - share.sum()]] += 1
    pairs = []
    for person in np.flatnonzero(share):
        number = random.choice(room[person], share[person], replace=False)
        high = ((1 + np.sqrt(8 * number + 1)) / 2).astype(np.int64)  # pairs (low, high), high by high, numbered through
        high -= high * (high - 1) // 2 > number  # if the root was rounded up
        pairs.append(start[person] + np.stack([number - high * (high - 1) // 2, high], 1))
    return np.concatenate(pairs)


def _level(room: np.ndarray, wanted: int) -> int:
    """The greatest level so that everybody taking as many, or all that there is room for, takes at most ``wanted``."""
    rising = np.sort(room)
    below = np.cumsum(rising) - rising  # taken by those with less room
    others = len(room) - np.arange(len(room))
    level = (wanted - below) // others  # if exactly the first k are full
    k = int(np.argmax(level < rising)) if (level < rising).any() else len(room) - 1
    return int(level[k])


def _different(sizes: np.ndarray, start: np.ndarray, wanted: int, random: np.random.Generator) -> np.ndarray:
    """(wanted, 2) places in the sorted pictures, of two people each.

    Everybody stands in a queue equally often. Neighbours make a pair of one picture each; those who cannot, because
    they are one person or the pair is known, queue up again in another order.
    """
    total, kept, queue = int(sizes.sum()), np.empty(0, dtype=np.int64), _queue(len(sizes), 2 * wanted, random)
    for _ in range(100):
        two = queue.reshape(-1, 2)
        place = np.sort(start[two] + (random.random(two.shape) * sizes[two]).astype(np.int64), axis=1)
        keys = np.concatenate([kept, place[:, 0] * total + place[:, 1]])
        new = np.zeros(len(keys), dtype=bool)
        new[np.unique(keys, return_index=True)[1]] = True  # the first of equal keys, so what is kept comes first
        new = new[len(kept) :] & (two[:, 0] != two[:, 1])
        kept = np.concatenate([kept, keys[len(kept) :][new]])
        if len(kept) == wanted:
            break
        queue = random.permutation(two[~new].ravel())
        if not new.any():
            queue = _queue(len(sizes), len(queue), random)  # others, then
    else:
        kept = np.concatenate([kept, _others(sizes, kept, wanted - len(kept), random)])
    return np.stack([kept // total, kept % total], 1)


def _queue(people: int, length: int, random: np.random.Generator) -> np.ndarray:
    """(length,) people in random order: nobody comes again before all others came."""
    rounds = np.tile(np.arange(people), (-(-length // people), 1))
    return random.permuted(rounds, axis=1).ravel()[:length]


def _others(sizes: np.ndarray, kept: np.ndarray, wanted: int, random: np.random.Generator) -> np.ndarray:
    """More keys of different pairs, of all that are not kept yet."""
    total = int(sizes.sum())
    if total * (total - 1) // 2 > ALL_PAIRS:
        raise FaceLibError(f"after {len(kept)} different pairs no new ones were found: ask for fewer pairs")
    who = np.repeat(np.arange(len(sizes)), sizes)
    a, b = np.triu_indices(total, 1)
    keys = (a * total + b)[who[a] != who[b]]
    return random.choice(np.setdiff1d(keys, kept), wanted, replace=False)
