"""Time series on the bench: profiles, clouds of features, warping, and classifiers in both directions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from gossamer.data.records import RecordSet
from gossamer.data.series import SeriesSpec
from gossamer.evaluation.listed import Listed, SyntheticRecords, check_labels, names_of, needing, set_name
from gossamer.evaluation.series import suite as series
from gossamer.evaluation.series.downstream import Verdict, judge_all
from gossamer.evaluation.series.matching import SeriesSet, at_most, drawn_like, match
from gossamer.evaluation.series.suite import Look
from gossamer.evaluation.series.use import REAL, TEST, SeriesAnswers, Verdicts, all_fits, halves_by_person
from gossamer.evaluation.workers import TaskKey
from gossamer.extras import from_extra, need
from gossamer.privacy.adjacency import Unit
from gossamer.scoring.bench import AbstractBench, Gathered, counted, labelled
from gossamer.scoring.findings import Count, Draws, Findings, RealRecords, Scored
from gossamer.scoring.kept_verdicts import KeptVerdicts


class SeriesBench(AbstractBench):
    """Real series, on which any number of targets is scored and shown.

    Guarantee: none. All of it saw private data.
    """

    word = "series"
    full = series.FULL
    quick = series.QUICK
    use = SeriesAnswers
    first_words = "tstr_"

    @staticmethod
    def scores() -> Listed:
        """Return the list of scores of series."""
        return series.SCORES

    @staticmethod
    def check_real(where: str, real: RealRecords) -> None:
        """Refuse to score series without the library that warps them. Labels may be missing."""
        need("series", "scoring time series")

    def check_draw(self, where: str, draw: SyntheticRecords) -> None:
        """Refuse values, labels or copies that no score can tell anything about."""
        SeriesSet(name=where, x=draw.x, y=draw.y)
        check_labels(where, "series", draw, self.real.train.spec.num_classes)

    def check_number(self, where: str, number: int) -> None:
        """Refuse fewer than the discrepancy and the Frechet distance want."""
        series.check_number(where, number, permit_few_samples=self.terms.permit_few_samples)

    def gather(self, listed: Listed, draws: Draws, count: Count) -> Iterator[Gathered]:
        """Gather looks, answers of classifiers and neighbours, as the scores need them."""
        if needing(listed, Look):
            yield from self._looks(draws, count)
        if needing(listed, SeriesAnswers) and self.real.test.y is not None and (able := labelled(draws)):
            yield from self._answers(able, count)
        yield from self.neighbours(listed, draws, count)

    def _looks(self, draws: Draws, count: Count) -> Iterator[Gathered]:
        """Gather how the series look, and the same of real series in their place, once for equal numbers of them."""
        test, references = _of_records(TEST, self.real.test), {}
        for name, drawn in counted(draws, "look of the series", count):
            named = [(SeriesSet(name=name, x=one.x, y=one.y), seed) for one, seed in zip(drawn, self.terms.seeds)]
            looks = [Look(pair=match(one, test, seed=seed), seed=seed) for one, seed in named]
            yield Gathered(targets=(name,), evidence=looks)
            first = looks[0].pair
            # Unlabelled pairs differ in their number alone.
            references.setdefault(first.class_counts or len(first.real), []).append((name, first))
        for pairs in references.values():
            seed, (_, pair) = self.terms.seeds[0], pairs[0]
            train = drawn_like(pair, _of_records(REAL, self.real.train), seed=seed)
            beside = Look(pair=match(train, test, seed=seed), seed=seed)
            yield Gathered(targets=[name for name, _ in pairs], evidence=[beside], is_reference=True)

    def _answers(self, draws: Draws, count: Count) -> Iterator[Gathered]:
        seeds, real = self.terms.seeds, self._real_sets()
        sets = dict(real)
        for name, drawn in draws.items():
            sets |= {set_name(name, s): SeriesSet(name=name, x=one.x, y=one.y) for one, s in zip(drawn, seeds)}
        verdicts = self._verdicts(tuple(draws), real, sets, count)
        for name in draws:
            seen = SeriesAnswers(
                suite=self.suite,
                target=name,
                seeds=seeds,
                sets=sets,
                verdicts=verdicts,
                is_new=self._is_new(),
                num_classes=self.real.train.spec.num_classes,
            )
            besides = Findings(notes=seen.notes, confusions=seen.confusions())
            yield Gathered(targets=(name,), evidence=[seen], besides=besides)

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
        """Mark the test series of people of whom there is no training series. None if nobody says."""
        if self.real.train.people is None or self.real.test.people is None:
            return None
        # Recordings that differ may be of one person.
        if self.real.train.owners is Unit.RECORDING:
            return None
        return ~np.isin(self.real.test.people.numpy(), self.real.train.people.numpy())

    def _verdicts(
        self, targets: tuple[str, ...], real: Mapping[str, SeriesSet], sets: Mapping[str, SeriesSet], count: Count
    ) -> Verdicts:
        """Return the verdicts of all fits. Those on real series alone come from the cache, if kept."""
        num_classes = self.real.train.spec.num_classes
        fits = all_fits(self.suite, targets, self.terms.seeds, real_sets=tuple(real))
        kept = KeptVerdicts(self.cache, real, num_classes)
        found: dict[TaskKey, Mapping[str, Verdict]] = dict(kept.known(fits))
        todo = [fit for fit in fits if fit.key not in found]
        count("classifiers", 0, len(todo))
        try:
            workers = {"num_workers": self.terms.num_workers, "crew": self.terms.crew}
            judged = judge_all(todo, sets, num_classes=num_classes, **workers)
            for number, (fit, verdicts) in enumerate(judged, start=1):
                found[fit.key] = verdicts
                kept.add(fit, verdicts)
                count("classifiers", number, len(todo))
        finally:
            # Also when interrupted: these serve every target.
            kept.save()
        return found

    def reason(self, name: str, found: Findings) -> str:
        """Say why a score is not there that was asked for, of labelled series."""
        if name not in names_of(needing(self.scores(), SeriesAnswers)):
            return "these series have no such score"
        if not name.endswith("_people"):
            return "all tested series are of one class"
        if name.startswith("tstr_") and "trtr_accuracy_people" in found.scores:
            return "the generator may have learnt from everybody who is tested; split the data between people"
        return "the data do not say which series are of one person, or there are too few people"

    @staticmethod
    def draw_pictures(folder: Path, shown: Mapping[str, Scored], real: RealRecords) -> None:
        """Draw series per class with mean and band, spectra, an embedding, nearest pairs. All show real series."""
        with from_extra("evaluate", "a picture of time series"):
            from gossamer.reports.curves import save_figure
            from gossamer.reports.series import SeriesView, confusions, embedding, overlaid, pairs_of_series, spectra

        spec = real.test.spec
        assert isinstance(spec, SeriesSpec)
        labels = None if real.test.y is None else real.test.y.numpy()
        kept = SeriesView(name=f"real test series of {real.test.name}", x=real.test.x.numpy(), y=labels)
        for suffix, one in shown.items():
            made = SeriesView(name=one.target.name, x=one.images.x, y=one.images.y)
            save_figure(overlaid(made, kept, spec.class_names), folder / f"samples{suffix}")
            save_figure(spectra(made, kept, sample_rate=spec.sample_rate), folder / f"spectra{suffix}")
            save_figure(embedding(made, kept, spec.class_names), folder / f"embedding{suffix}")
            if one.findings.confusions:
                save_figure(confusions(one.findings.confusions, spec.class_names), folder / f"confusions{suffix}")
            if one.findings.pairs:
                save_figure(pairs_of_series(*one.paired(real)), folder / f"nearest-pairs{suffix}")


def _of_records(name: str, records: RecordSet) -> SeriesSet:
    return SeriesSet(name=name, x=records.x.numpy(), y=None if records.y is None else records.y.numpy())
