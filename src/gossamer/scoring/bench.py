"""The bench: the loop over draws, seeds and scores that images and series share, and the methods they differ in."""

from __future__ import annotations

import abc
import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from gossamer.evaluation.listed import (
    AbstractEvidence,
    Listed,
    Suite,
    SyntheticRecords,
    as_reference,
    averaged,
    names_of,
    needing,
    scores_of,
)
from gossamer.evaluation.memorisation import Neighbours
from gossamer.evaluation.score import Score
from gossamer.mechanisms.jobs import perform_in_order
from gossamer.runs.cache import CacheFolder
from gossamer.scoring.findings import Count, Draws, Findings, RealRecords, Scored, Terms


@dataclass(frozen=True, kw_only=True, eq=False)
class Gathered:
    """Evidence on targets, from which scores are computed.

    Attributes:
        targets: names.
        evidence: of one kind, one for each seed or one for all.
        is_reference: of real records in the place of synthetic ones.
        besides: notes, pairs and confusions.
    """

    targets: Sequence[str]
    evidence: Sequence[AbstractEvidence]
    is_reference: bool = False
    besides: Findings = field(default_factory=Findings)


@dataclass(frozen=True, kw_only=True, eq=False)
class AbstractBench(abc.ABC):
    """Real records of one kind, on which any number of targets is scored and shown.

    Guarantee: none. All of it saw private data.

    Attributes:
        terms: on which targets are scored.
        real: the private side.
        cache: keeps all that depends on real records alone.
        word: the records in the plural.
        full: suite of every score.
        quick: suite of the quick ones.
        use: evidence of the scores that need labels.
        first_words: before the name of a classifier, in the name of the score that its bar shows.
    """

    word: ClassVar[str]
    full: ClassVar[Suite[Any]]
    quick: ClassVar[Suite[Any]]
    use: ClassVar[type[AbstractEvidence]]
    first_words: ClassVar[str] = ""

    terms: Terms
    real: RealRecords
    cache: CacheFolder

    @property
    def suite(self) -> Suite[Any]:
        """The suite that is asked for."""
        return self.quick if self.terms.is_quick else self.full

    @property
    def listed(self) -> Listed:
        """The scores that are asked for."""
        return self.suite.of(self.scores())

    def score(self, listed: Listed, draws: Draws, count: Count) -> dict[str, Findings]:
        """Compute scores of targets.

        Args:
            listed: the scores.
            draws: of all targets.
            count: told of progress.

        Raises:
            InputError: records that cannot be scored.
        """
        found = dict.fromkeys(draws, Findings(versions={one.name: one.version for one in listed}))
        for part, scores in self._computed(listed, self.gather(listed, draws, count)):
            if part.is_reference:
                scores = as_reference(scores, part.evidence[0].reference)
            for name in part.targets:
                found[name] |= part.besides | Findings(scores=scores)
        return found

    def _computed(self, listed: Listed, parts: Iterator[Gathered]) -> Iterator[tuple[Gathered, dict[str, Score]]]:
        """Compute the scores of all parts, for as many parts at a time as there are processes to share them."""
        names = frozenset(one.name for one in listed)
        while together := list(itertools.islice(parts, self.terms.crew.size)):
            jobs = [(type(self), names, one) for part in together for one in part.evidence if one.travels]
            found = iter(perform_in_order(self.terms.crew, _scores_of_draw, jobs))
            for part in together:
                each = [next(found) if one.travels else scores_of(listed, [one]) for one in part.evidence]
                yield part, averaged(each)

    def neighbours(self, listed: Listed, draws: Draws, count: Count) -> Iterator[Gathered]:
        """Gather the nearest neighbours of the first seed's records, if a score needs them."""
        if not needing(listed, Neighbours):
            return
        train, test = (records.x.numpy() for records in (self.real.train, self.real.test))
        for name, drawn in counted(draws, "nearest records", count):
            sides = {"synthetic": drawn[0].x, "train": train, "held_out": test}
            seen = Neighbours(**sides, seed=self.terms.seeds[0], crew=self.terms.crew)
            yield Gathered(targets=(name,), evidence=(seen,), besides=Findings(pairs=seen.found.pairs))

    def skipped(self, draw: SyntheticRecords, found: Findings) -> dict[str, str]:
        """Name the scores that were left out of a target's, and say why."""
        asked, reasons = names_of(self.listed), {}
        is_labelled = draw.y is not None and self.real.test.y is not None
        needy = () if is_labelled else names_of(needing(self.scores(), self.use))
        for name in names_of(self.scores()):
            if name in needy:
                reasons[name] = f"the {self.word} have no labels"
            elif name not in asked:
                reasons[name] = "left out by --quick"
            elif name not in found.scores:
                reasons[name] = self.reason(name, found)
        return reasons

    @classmethod
    def classifiers(cls) -> dict[str, str]:
        """Map the name of each classifier to the score that its bar shows."""
        return {one.name: f"{cls.first_words}{one.name}_accuracy" for one in cls.full.classifiers}

    @staticmethod
    @abc.abstractmethod
    def scores() -> Listed:
        """Return the list of scores of this kind of records."""

    @staticmethod
    @abc.abstractmethod
    def check_real(where: str, real: RealRecords) -> None:
        """Refuse real records that cannot be scored against.

        Raises:
            InputError: they lack something that the scores need.
        """

    @abc.abstractmethod
    def check_draw(self, where: str, draw: SyntheticRecords) -> None:
        """Refuse synthetic records that no score can tell anything about.

        Raises:
            InputError: naming the first that breaks a rule.
        """

    @abc.abstractmethod
    def check_number(self, where: str, number: int) -> None:
        """Refuse too few records before anything is computed.

        Raises:
            InputError: too few.
        """

    @abc.abstractmethod
    def gather(self, listed: Listed, draws: Draws, count: Count) -> Iterator[Gathered]:
        """Gather the evidence that scores need."""

    @abc.abstractmethod
    def reason(self, name: str, found: Findings) -> str:
        """Say why a score is not there that was asked for, of labelled records."""

    @staticmethod
    @abc.abstractmethod
    def draw_pictures(folder: Path, shown: Mapping[str, Scored], real: RealRecords) -> None:
        """Write pictures of synthetic beside real records.

        Args:
            folder: private.
            shown: end of the names of files that show a target alone -> the target.
            real: the private side.
        """


def _scores_of_draw(bench: type[AbstractBench], names: frozenset[str], seen: AbstractEvidence) -> dict[str, Score]:
    # By their names: functions of a list cannot be sent to another process.
    return scores_of([one for one in bench.scores() if one.name in names], [seen])


def counted(draws: Draws, part: str, count: Count) -> Iterator[tuple[str, Sequence[SyntheticRecords]]]:
    """Go through the targets, and tell how far that is."""
    for number, item in enumerate(draws.items()):
        count(part, number, len(draws))
        yield item
    count(part, len(draws), len(draws))


def labelled(draws: Draws) -> dict[str, Sequence[SyntheticRecords]]:
    """Return the targets that have labels."""
    return {name: drawn for name, drawn in draws.items() if all(one.y is not None for one in drawn)}
