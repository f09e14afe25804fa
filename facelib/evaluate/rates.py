"""Rates that a report states: TAR at FAR, FNIR at FPIR, each only where ten false answers decide it.

Fewer say little: their number is uncertain by more than a factor of two. The same figures go into JSON (dicts, None
with a reason where there are too few cases) and into tables (labels, indented below what they belong to, and texts).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np

from .identify import Identification
from .ranking import Interval, wilson

ENOUGH = 10
"""False answers that a stated rate should amount to."""

RANKS = (1, 5)
FPIRS = (0.01, 0.1)
FEW_PAIRS = "too few pairs"
FEW_STRANGERS = "too few strangers"

Lines = list[tuple[str, str]]


class Verified(Protocol):
    """Scored pairs of pictures or of templates."""

    def tar_at(self, far: float) -> float: ...
    def tar_interval(self, far: float) -> Interval: ...
    def threshold_at(self, far: float) -> float: ...


def enough(cases: int, rate: float) -> bool:
    """Whether a share ``rate`` of so many cases is ten of them."""
    return cases * rate >= ENOUGH * (1 - 1e-12)


def ends(interval: Interval) -> str:
    """Ends of an interval in per cent; "-" where it has no width."""
    # Where no pair is wrong, the bootstrap draws no wrong one either: that is no interval.
    return "-" if interval[0] == interval[1] else f"[{100 * interval[0]:.2f}, {100 * interval[1]:.2f}]"


def tars(found: Verified, different: int, fars: Sequence[float]) -> list[dict[str, Any]]:
    """For JSON: the TAR at each FAR, of which there are ``different`` pairs of two people to meet it."""
    return [
        {"far": far, "tar": found.tar_at(far), "interval": found.tar_interval(far),
         "threshold": found.threshold_at(far)}
        if enough(different, far)
        else {"far": far, "tar": None, "reason": FEW_PAIRS}
        for far in fars
    ]  # fmt: skip


def tar_lines(found: Verified, different: int, fars: Sequence[float]) -> Lines:
    """The same for a table."""
    lines: Lines = []
    for far in fars:
        stated = enough(different, far)
        lines.append((f"TAR at FAR {far:g}", f"{100 * found.tar_at(far):.2f} %" if stated else FEW_PAIRS))
        lines.append(("  95 % interval", ends(found.tar_interval(far)) if stated else "-"))
    return lines


def few_pairs(different: int, fars: Sequence[float]) -> list[str]:
    """What to say of the FARs that are not stated."""
    return [
        f"FAR {far:g} needs {ENOUGH / far:,.0f} different pairs to be met by {ENOUGH} false accepts; there are"
        f" {different:,}" for far in fars if not enough(different, far)
    ]  # fmt: skip


@dataclass(frozen=True, eq=False)
class OpenSet:
    """What probes found in one gallery, when some of them are of people who are not in it.

    Attributes
    ----------
    found : Identification
    intervals : dict
        Of "rank1", "rank5", "fnir@0.01" and "fnir@0.1": people are drawn with replacement. Where that changes
        nothing, because all probes agree, Wilson's.
    """

    found: Identification
    intervals: dict[str, Interval]

    @property
    def strangers(self) -> int:
        """Number of probes of people who are not in the gallery."""
        return int((~self.found.mated).sum())

    def enough(self, fpir: float) -> bool:
        """Whether ten strangers find somebody at this FPIR."""
        return enough(self.strangers, fpir)

    def rates(self) -> dict[str, Any]:
        """For JSON: how many probes there are, ranks, and the FNIR at each FPIR."""
        found = self.found
        rates: list[dict[str, Any]] = []
        for fpir in FPIRS:
            if not self.enough(fpir):
                rates.append({"fpir": fpir, "fnir": None, "reason": FEW_STRANGERS})
                continue
            threshold = found.threshold_at(fpir)
            reached = found.rates(threshold)[0]
            rates.append({
                "fpir": fpir, "fpir_reached": reached, "fpir_interval": wilson(reached, self.strangers),
                "fnir": found.fnir_at(fpir), "interval": self.intervals[f"fnir@{fpir:g}"], "threshold": threshold,
            })  # fmt: skip
        return {
            "probes": int(found.mated.sum()), "probes of strangers": self.strangers,
            **{f"rank{k}": found.rank(k) for k in RANKS},
            **{f"rank{k}_interval": self.intervals[f"rank{k}"] for k in RANKS}, "fnir_at_fpir": rates,
        }  # fmt: skip

    def rate_lines(self, thresholds: bool = True) -> Lines:
        """Ranks and FNIRs for a table, on request without the thresholds and the FPIRs that they reach."""
        found, lines = self.found, []
        for k in RANKS:
            lines.append((f"rank-{k}", f"{100 * found.rank(k):.2f} %"))
            lines.append(("  95 % interval", ends(self.intervals[f"rank{k}"])))
        for rate in self.rates()["fnir_at_fpir"]:
            stated = rate["fnir"] is not None
            lines.append((f"FNIR at FPIR {rate['fpir']:g}", f"{100 * rate['fnir']:.2f} %" if stated else FEW_STRANGERS))
            lines.append(("  95 % interval", ends(rate["interval"]) if stated else "-"))
            if thresholds:
                lines.append(("  95 % of the FPIR", ends(rate["fpir_interval"]) if stated else "-"))
                lines.append(("  threshold", f"{rate['threshold']:.4f}" if stated else "-"))
        return lines

    def too_few(self) -> list[str]:
        """What to say of the FPIRs that are not stated."""
        return [
            f"FPIR {fpir:g} needs {ENOUGH / fpir:,.0f} probes of strangers for {ENOUGH} false answers; there are"
            f" {self.strangers:,}" for fpir in FPIRS if not self.enough(fpir)
        ]  # fmt: skip


def intervals_of(found: Identification) -> dict[str, Interval]:
    """``OpenSet.intervals``."""
    fpirs = FPIRS if not found.mated.all() else ()
    drawn = found.bootstrap(fpir=fpirs)
    for k in RANKS[1:]:  # who is among the first k counts as first
        near = replace(found, ranks=np.where(found.mated & (found.ranks <= k), 1, found.ranks))
        drawn[f"rank{k}"] = near.bootstrap()["rank1"]
    independent = {f"rank{k}": found.rank_interval(k) for k in RANKS}
    independent |= {f"fnir@{fpir:g}": found.fnir_interval(fpir) for fpir in fpirs}
    return {name: independent[name] if high - low < 1e-9 else (low, high) for name, (low, high) in drawn.items()}
