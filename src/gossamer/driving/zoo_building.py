"""A release of the zoo made anew: taken out of its run, and compared with the one before it."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from gossamer.data.catalogue import find_named
from gossamer.driving.generator_file import load_generator
from gossamer.driving.handing_over import card_facts
from gossamer.methods.trained import TrainedGenerator
from gossamer.runs.cards import model_card
from gossamer.runs.config_io import to_json_tree
from gossamer.runs.files import write_json
from gossamer.runs.folder import RunFolder
from gossamer.runs.manifest import MANIFEST, file_digest
from gossamer.runs.release import write_release_alone
from gossamer.runs.zoo import FORMAT, INDEX, Zoo, ZooEntry

_OF_EVERY_RUN = ("date", "run_id", "gossamer_version", "accountants")


def adopt(run: RunFolder, entry: ZooEntry, zoo: Path, scores: Mapping[str, float]) -> ZooEntry:
    """Put the release of a run into a zoo, in place of the one that is there, and write it into the index.

    Args:
        run: a run that has ended, trained by the words of the entry.
        entry: of the zoo.
        zoo: folder of a zoo, made if it is not there.
        scores: of this release on public data, empty if it was not scored.

    Returns:
        The entry as it is now.

    Raises:
        InputError: the run has no release, or the index there is damaged.
        ResourceError: something cannot be written.
    """
    trained = load_generator(run.path)
    place = zoo / entry.name
    entries = {one.name: one for one in Zoo.read(zoo).entries} if (zoo / INDEX).is_file() else {}
    zoo.mkdir(parents=True, exist_ok=True)
    if place.is_dir():
        shutil.rmtree(place)
    facts = card_facts(trained, find_named(entry.data))
    write_release_alone(
        place,
        weights=trained.weights,
        recipe=to_json_tree(trained.recipe),
        statement=trained.statement.to_json(),
        text=trained.statement.to_markdown(),
        card=model_card(facts),
    )
    new = dataclasses.replace(entry, manifest_sha256=file_digest(place / MANIFEST), scores=dict(scores))
    write_index(zoo, (entries | {entry.name: new}).values())
    return new


def write_index(zoo: Path, entries: Any) -> None:
    """Write the index of a zoo."""
    write_json(zoo / INDEX, {"format": FORMAT, "entries": [entry.to_json() for entry in entries]})


def differences(before: Path | None, run: RunFolder, entry: ZooEntry, scores: Mapping[str, float]) -> list[str]:
    """Return sentences on all that a release trained anew has otherwise than the one before it.

    Noise is drawn anew, so the weights always differ. Statement, recipe and scores need not.

    Args:
        before: folder of the release before it, None if there was none.
        run: that trained the new one.
        entry: of the zoo.
        scores: of the new one on public data, empty if it was not scored.
    """
    if before is None:
        return ["there was no release before this one"]
    old, new = load_generator(before), load_generator(run.path)
    found = [*_compared("statement", old.statement.to_json(), new.statement.to_json())]
    found += _compared("recipe", _flat(old), _flat(new))
    if scores and entry.scores:
        found += _compared("scores", entry.scores, scores)
    elif scores:
        found.append("scores: none before")
    alike = "statement, recipe and scores" if scores else "statement and recipe"
    return found or [f"{alike} are the same; the weights differ by the noise alone"]


def _compared(what: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    for name in sorted({*old, *new} - set(_OF_EVERY_RUN)):
        if old.get(name) != new.get(name):
            yield f"{what}, {name}: {_short(old.get(name))} before, {_short(new.get(name))} now"


def _flat(trained: TrainedGenerator) -> dict[str, Any]:
    """Return the public recipe without the parts that noise decides: released shares of classes, and the verdict."""
    tree = to_json_tree(trained.recipe)
    shapes = {name: list(weight.shape) for name, weight in trained.weights.items()}
    return {name: value for name, value in tree.items() if name not in ("class_shares", "verdict")} | {
        "weights": shapes
    }


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 200 else f"{text[:200]}..."
