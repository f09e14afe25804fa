"""The section of the page on identification: CMC, the open set's DET, and who was taken for somebody else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

from . import figures
from .judged_people import Identified, Mistaken
from .page import Drawing, beware, plots, slug, two_pictures
from .rates import FPIRS, RANKS

ABOUT = (
    "Who is it, if it is anybody known? A probe is looked for among the enrolled people. Rank-1 is the share of known"
    " people's probes that are more like their own person than like anybody else. FPIR is the share of strangers'"
    " probes that find anybody above a threshold, FNIR the share of known people's probes that there do not find"
    " their own person first. Intervals are drawn over people; where all probes agree they are Wilson's, as are those"
    " of the FPIR and the bands of the curves, which take probes for independent and are too narrow where a person has"
    " many."
)


def drawings(result: Identified) -> list[Drawing]:
    """CMC, and if there are strangers the DET curve."""
    found, stem = result.found, slug(result.name)
    shares = ", ".join(f"{100 * found.rank(k):.1f} % at rank {k}" for k in RANKS)
    made = [
        Drawing(
            f"{stem}-cmc", (5.6, 3.8), lambda ax: figures.cmc(found, ax),
            f"Known probes whose person is among the first 1, 2, 3, ... of {len(found.cmc):,} in the gallery.",
            f"CMC curve of {result.name}: {shares}.",
        )
    ]  # fmt: skip
    if result.strangers:
        rates = " and ".join(f"{100 * found.fnir_at(fpir):.1f} % at {100 * fpir:g} %" for fpir in FPIRS)
        few = "" if all(map(result.enough, FPIRS)) else " There are too few strangers for the left part of it."
        made.append(Drawing(
            f"{stem}-open", (5, 4.6), lambda ax: figures.open_det(found, ax),
            "Detection error trade-off of the open set, first places alone: on its right the curve ends at"
            f" 1 - rank-1.{few}",
            f"DET curve of {result.name}: false negative over false positive identification rate, {rates}.",
        ))  # fmt: skip
    return made


def section(result: Identified, made: Sequence[Drawing], pictures: Mapping[str, tuple[bytes, bytes]]) -> str:
    """HTML of one crowd."""
    chosen = result.settings
    return f"""<section id="{slug(result.name)}"><h2>{escape(result.name)}</h2>
<p class="faint">From {escape(result.source)}. {_enrolled(chosen["enrol"])}; a share of
{chosen["unknown"]:g} of the people, drawn with seed {chosen["seed"]}, is not.</p>{beware(result.warnings)}
{plots(made, pictures)}
<h3>Known people taken for somebody else</h3>
<p class="faint">{_count(result.worst_known, "No known probe is more like somebody else.")}</p>
<div class="gallery">{"".join(map(_mistaken, result.worst_known))}</div>
<h3>Strangers who are most like somebody enrolled</h3>
<p class="faint">{_count(result.worst_strangers, "There are no strangers among the probes.")}</p>
<div class="gallery">{"".join(map(_mistaken, result.worst_strangers))}</div>
</section>
"""


def _enrolled(count: int) -> str:
    which = "one picture, the first, is" if count == 1 else f"the first {count:,} pictures are"
    return f"Of each person {which} enrolled"


def _count(shown: Sequence[Mistaken], nobody: str) -> str:
    return "The probe on the left, its best answer on the right; the worst first." if shown else nobody


def _mistaken(shown: Mistaken) -> str:
    probe, answer = shown.titles
    if shown.own is None:
        own = "a stranger"
    else:
        own = f"own person {shown.own:.3f}, at rank {shown.rank:,}"
    alts = [f"{probe}, a probe", f"{answer}, enrolled, the best answer to it"]
    return two_pictures(shown.images, alts, f"{shown.score:.3f}, {own}", f"{escape(probe)} found {escape(answer)}")
