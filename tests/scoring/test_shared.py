"""Scores of draws and nearest records by several processes: the findings are those of one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from crews import linked

from gossamer.data.catalogue import load_records
from gossamer.evaluation import memorisation
from gossamer.evaluation.listed import SyntheticRecords
from gossamer.evaluation.series import networks
from gossamer.runs.cache import CacheFolder
from gossamer.scoring.findings import Draws, RealRecords, Terms
from gossamer.scoring.series import SeriesBench

CHOSEN = ("acf_distance", "mmd", "precision", "discriminative_score", "memorisation")
SEEDS = (0, 1)


@pytest.fixture
def series(tmp_path: Path) -> SeriesBench:
    data = load_records("beats")
    assert data.test is not None
    terms = Terms(
        is_quick=False, seeds=SEEDS, num_samples=10_000, permit_few_samples=True, inception_weights=None, num_workers=1
    )
    return SeriesBench(terms=terms, real=RealRecords(train=data.train, test=data.test), cache=CacheFolder(tmp_path))


def drawn(real: RealRecords, num_targets: int) -> Draws:
    """Real series with noise, without labels, so that no classifier takes part."""
    rng, x = np.random.default_rng(0), real.train.x[:150].numpy()

    def draw(spread: float) -> SyntheticRecords:
        noise = rng.normal(scale=spread, size=x.shape)
        return SyntheticRecords(x=(x + noise).clip(0, 1).astype(np.float32), y=None)

    return {f"target {number}": [draw(0.02 * (1 + number)) for _ in SEEDS] for number in range(num_targets)}


@pytest.mark.parametrize("size", [2, 4])
def test_any_number_of_processes_finds_what_one_does(
    series: SeriesBench, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr(networks, "_MIN_UPDATES", 20)
    monkeypatch.setattr(networks, "_NUM_EPOCHS", 1)
    monkeypatch.setattr(memorisation, "_RECORDS_AT_ONCE", 100)
    listed = [one for one in series.scores() if one.name in CHOSEN]
    draws = drawn(series.real, 3)
    alone = series.score(listed, draws, lambda *_: None)
    with linked(size) as ranks:
        shared = replace(series, terms=replace(series.terms, crew=ranks[0])).score(listed, draws, lambda *_: None)
    assert all(rank.num_received > 0 for rank in ranks[1:])
    assert {name: found.to_json() for name, found in shared.items()} == {
        name: found.to_json() for name, found in alone.items()
    }
    references = {f"{name}_real" for name in CHOSEN if name != "memorisation"}
    assert all(set(found.scores) == {*CHOSEN, *references} for found in alone.values())
