"""The bench for time series: what depends on real series alone, and the scoring of any number of targets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from gossamer.cli.bench import Draws, Findings, RealRecords, Terms
from gossamer.cli.encoder import Count
from gossamer.data.records import RecordSet
from gossamer.evaluation.memorisation import NearestPair, memorisation
from gossamer.evaluation.score import Score
from gossamer.evaluation.series.downstream import Verdict, judge_all
from gossamer.evaluation.series.matching import MatchedPair, SeriesSet, at_most, drawn_like, match
from gossamer.evaluation.series.suite import SeriesSuite, as_reference, score_look
from gossamer.evaluation.series.use import (
    REAL,
    TEST,
    Verdicts,
    all_fits,
    confusion_counts,
    halves_by_person,
    score_use,
)
from gossamer.evaluation.suite import average_over_seeds, set_name

_Key = tuple[tuple[int, int], ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class SeriesBench:
    """Real series, on which any number of targets is scored.

    Guarantee: none. All of it saw private data.

    Attributes:
        terms: how targets are scored.
        suite: which scores.
        real: the private side.
    """

    terms: Terms
    suite: SeriesSuite
    real: RealRecords
    _references: dict[_Key, dict[str, Score]] = field(default_factory=dict)

    def score(self, draws: Draws, count: Count) -> dict[str, Findings]:
        """Score targets.

        Raises:
            InputError: series that cannot be scored.
        """
        sets = {name: [SeriesSet(name=name, x=one.x, y=one.y) for one in drawn] for name, drawn in draws.items()}
        scores: dict[str, dict[str, Score]] = {}
        pairs: dict[str, tuple[NearestPair, ...]] = {}
        for number, (name, drawn) in enumerate(sets.items()):
            count("look of the series", number, len(sets))
            scores[name] = self._look(drawn)
            if self.suite.has_memorisation:
                scores[name]["memorisation"], pairs[name] = self._memorisation(drawn[0])
        count("look of the series", len(sets), len(sets))
        used = self._use(sets, count)
        for name, use in used.items():
            scores[name] |= use.scores
        return {
            name: Findings(
                scores=scores[name],
                notes=used[name].notes if name in used else (),
                pairs=pairs.get(name, ()),
                confusions=used[name].confusions if name in used else {},
            )
            for name in draws
        }

    def _look(self, drawn: Sequence[SeriesSet]) -> dict[str, Score]:
        """How the series look, mean over the seeds, and the same of real series in their place."""
        test = _of_records(TEST, self.real.test)
        pairs = [match(series, test, seed=seed) for series, seed in zip(drawn, self.terms.seeds)]
        tables = [score_look(self.suite, pair, seed=seed) for pair, seed in zip(pairs, self.terms.seeds)]
        found = {name: average_over_seeds([table[name] for table in tables]) for name in tables[0]}
        return found | self._reference(pairs[0])

    def _reference(self, pair: MatchedPair) -> dict[str, Score]:
        """What real training series score in the place of synthetic ones: the best that can be hoped for."""
        # Unlabelled pairs differ in their number alone.
        key: _Key = pair.class_counts or ((-1, len(pair.real)),)
        if key not in self._references:
            seed = self.terms.seeds[0]
            train = drawn_like(pair, _of_records(REAL, self.real.train), seed=seed)
            beside = match(train, _of_records(TEST, self.real.test), seed=seed)
            self._references[key] = as_reference(score_look(self.suite, beside, seed=seed))
        return self._references[key]

    def _memorisation(self, drawn: SeriesSet) -> tuple[Score, tuple[NearestPair, ...]]:
        train, test = (records.x.numpy() for records in (self.real.train, self.real.test))
        found = memorisation(drawn.x, train, test, seed=self.terms.seeds[0])
        return found.score, found.pairs

    def _use(self, sets: Mapping[str, Sequence[SeriesSet]], count: Count) -> dict[str, Findings]:
        """What needs labels, of targets that have them."""
        labelled = {name: drawn for name, drawn in sets.items() if all(one.y is not None for one in drawn)}
        if not labelled or self.real.test.y is None:
            return {}
        named = {set_name(n, seed): one for n, drawn in labelled.items() for one, seed in zip(drawn, self.terms.seeds)}
        everything = self._real_sets() | named
        verdicts = self._verdicts(tuple(labelled), everything, count)
        return {name: self._use_of(name, everything, verdicts) for name in labelled}

    def _use_of(self, name: str, sets: Mapping[str, SeriesSet], verdicts: Verdicts) -> Findings:
        seeds, num_classes = self.terms.seeds, self.real.train.spec.num_classes
        own = {set_name(name, seed) for seed in seeds}
        notes = (one.note for key, by_test in verdicts.items() if key[0] in own for one in by_test.values())
        return Findings(
            scores=score_use(self.suite, name, seeds, sets, verdicts, is_new=self._is_new(), num_classes=num_classes),
            notes=tuple(dict.fromkeys(note for note in notes if note)),
            pairs=(),
            confusions=confusion_counts(self.suite, name, seeds, sets, verdicts, num_classes=num_classes),
        )

    def _real_sets(self) -> dict[str, SeriesSet]:
        seed = self.terms.seeds[0]
        train, test = _of_records(REAL, self.real.train), _of_records(TEST, self.real.test)
        found = {REAL: at_most(train, self.terms.num_samples, seed=seed), TEST: test}
        is_new, people = self._is_new(), self.real.train.people
        if is_new is None or is_new.any() or people is None or self.real.test.people is None:
            return found
        halves = halves_by_person((train, people.numpy()), (test, self.real.test.people.numpy()), seed=seed)
        return found | {name: at_most(one, self.terms.num_samples, seed=seed) for name, one in halves.items()}

    def _is_new(self) -> np.ndarray | None:
        """Which test series are of people of whom there is no training series; None where nobody says."""
        if self.real.train.people is None or self.real.test.people is None:
            return None
        return ~np.isin(self.real.test.people.numpy(), self.real.train.people.numpy())

    def _verdicts(self, targets: tuple[str, ...], sets: Mapping[str, SeriesSet], count: Count) -> Verdicts:
        fits = all_fits(self.suite, targets, self.terms.seeds, real_sets=tuple(sets))
        judged = judge_all(fits, sets, num_classes=self.real.train.spec.num_classes, num_workers=self.terms.num_workers)
        found: dict[tuple[str, str, int], Mapping[str, Verdict]] = {}
        count("classifiers", 0, len(fits))
        for fit, verdicts in judged:
            found[fit.train, fit.classifier.name, fit.seed] = verdicts
            count("classifiers", len(found), len(fits))
        return found


def _of_records(name: str, records: RecordSet) -> SeriesSet:
    return SeriesSet(name=name, x=records.x.numpy(), y=None if records.y is None else records.y.numpy())
