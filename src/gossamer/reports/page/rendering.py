"""A report as HTML: two pages from two types, by templates that escape every value."""

from __future__ import annotations

import base64
import hashlib
import importlib.metadata
import importlib.resources
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from gossamer.errors import InputError
from gossamer.extras import from_extra
from gossamer.privacy.adjacency import Adjacency, Unit
from gossamer.privacy.statement import shown_epsilon
from gossamer.reports.page import wording
from gossamer.reports.page.curves import curve_picture, interval_bar
from gossamer.reports.page.figures import ALARM_RATES, trade_off_picture
from gossamer.reports.page.kept import KeptRun
from gossamer.reports.page.marks import GENERATOR_MARK, PRIVATE_WORD
from gossamer.reports.page.officer import (
    GUESSED,
    NO_PRIVATE_SCORES,
    SIDE_CHANNELS,
    classes_in_words,
    currencies,
    questions,
    trust_of,
)
from gossamer.reports.page.owner import NOTHING_FILLED, OwnerWords
from gossamer.reports.page.released import ReleasedRun
from gossamer.reports.page.together import JointPrice, Together
from gossamer.runs.manifest import MANIFEST

if TYPE_CHECKING:
    from jinja2 import Environment


def release_page(
    runs: Sequence[ReleasedRun],
    title: str,
    joint: Mapping[str, JointPrice] | None = None,
    *,
    owner: OwnerWords = NOTHING_FILLED,
    audits: Sequence[str | None] = (),
) -> str:
    """Write the report that may be handed over.

    Guarantee:
        Post-processing: the page is a function of releases, and of the joint price of one run's branches. Beside them
        stand the owner's words, and audits that read no record. ``ReleasedRun`` cannot reach beyond a release, and no
        record has a part in the joint price. The owner answers for the owner's words.

    Args:
        runs: at least one.
        title: heading.
        joint: joint price of the branches of a run, by run id, if it is known.
        owner: words of the owner, which stand in fields of their own and are marked as such.
        audits: sentence on the audit of the mechanism of each run, None for one without. Empty if nothing is told.

    Returns:
        One HTML document that loads nothing. Equal releases give equal documents.

    Raises:
        InputError: no run, or jinja2 is not installed.
    """
    told = dict(enumerate(audits))
    return _rendered(
        "release.html.j2", runs, title, joint, owner=owner, audits=[told.get(place) for place in range(len(runs))]
    )


def private_page(runs: Sequence[KeptRun], title: str, joint: Mapping[str, JointPrice] | None = None) -> str:
    """Write the report for those who may see the records. The page says so everywhere.

    Guarantee:
        None: the page holds figures and, if they were handed over, pictures of private records.

    Args:
        runs: at least one.
        title: heading.
        joint: as in `release_page`.

    Raises:
        InputError: no run, or jinja2 is not installed.
    """
    released = [one.released for one in runs]
    return _rendered("private.html.j2", released, title, joint, kept=runs, word=PRIVATE_WORD)


def _rendered(
    template: str, runs: Sequence[ReleasedRun], title: str, joint: Mapping[str, JointPrice] | None, **more: Any
) -> str:
    if not runs:
        raise InputError("nothing to report on: name at least one run")
    values = {"runs": runs, "title": title, "together": Together.of(runs, joint)} | more | _context()
    return _environment().get_template(template).render(values)


def _context() -> dict[str, Any]:
    """Return the values of every template, with the style sheet and the digest by which the page's policy admits it."""
    css = importlib.resources.files("gossamer.reports.page").joinpath("page.css").read_text(encoding="utf-8")
    return {
        "css": css,
        "css_digest": base64.b64encode(hashlib.sha256(css.encode()).digest()).decode("ascii"),
        "Adjacency": Adjacency,
        "Unit": Unit,
        "alarm_rates": ALARM_RATES,
        "classes_in_words": classes_in_words,
        "currencies": currencies,
        "curve_picture": curve_picture,
        "generator": GENERATOR_MARK,
        "guessed": GUESSED,
        "interval_bar": interval_bar,
        "manifest": MANIFEST,
        "no_private_scores": NO_PRIVATE_SCORES,
        "questions": questions,
        "side_channels_named": SIDE_CHANNELS,
        "trade_off_picture": trade_off_picture,
        "trust_of": trust_of,
        "version": importlib.metadata.version("gossamer"),
    }


def _environment() -> Environment:
    with from_extra("report", "gossamer report"):
        import jinja2
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("gossamer.reports.page"),
        # Privacy: a name out of a release is text to a browser, never markup.
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "axes": wording.axes_of,
        "chance": wording.chance,
        "change": wording.change_in_words,
        "changed": wording.changed_in_a_word,
        "classes": wording.classes_of,
        "epsilon": shown_epsilon,
        "factor": wording.factor,
        "kind": wording.kind_of,
        "learnt_from": wording.learnt_from,
        "method": wording.method_name,
        "number": wording.number,
        "percent": wording.percent,
        "score": wording.score_title,
        "shape": wording.shape_of,
        "value": wording.value,
        "who": wording.person_or_record,
        "words": wording.title_of,
    }
    return environment
