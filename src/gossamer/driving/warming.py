"""A range of a run's critics warmed up by itself, for a training that goes on later or elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from gossamer.driving.driver import forbid_core_dumps, start_again
from gossamer.driving.job import TrainingJob
from gossamer.driving.run import Run
from gossamer.errors import InputError
from gossamer.methods.gs_wgan.settings import DistanceCritic, GSWGANConfig
from gossamer.methods.gs_wgan.trained_side import chunks_of
from gossamer.methods.gs_wgan.training import GSWGANTraining
from gossamer.runs.folder import RunFolder
from gossamer.runs.key_file import read_key


@dataclass(frozen=True, kw_only=True)
class CriticRange:
    """A range of critics of the first stage.

    Attributes:
        first: number of the first critic, from 0 on.
        last: number of the last critic, which belongs to the range.

    Raises:
        InputError: the last one comes before the first.
    """

    first: int
    last: int

    def __post_init__(self) -> None:
        if not 0 <= self.first <= self.last:
            raise InputError(f"--critics {self.first}..{self.last}: the last critic must not come before the first")


def warm_up(folder: RunFolder, critics: CriticRange) -> Iterator[int]:
    """Warm up a range of critics of the first stage, chunk after chunk, and keep each in `private/warm_start`.

    Guarantee:
        Nothing is charged, since nothing is released: warm critics stay private. A critic's warm start depends on its
        own shard, its own tape and public things alone. So it is the same to the last bit on any node that computes
        alike. A copy of the folder may be used for it.

    Args:
        folder: of a run that has begun, or a copy of it.
        critics: whole chunks of as many critics as the run computes at once.

    Yields:
        One past the last critic that is ready.

    Raises:
        InputError: a method without critics to warm up, a range that cuts a chunk, or other records than the run's.
    """
    job = TrainingJob.read(folder)
    if folder.generator_file.is_file():
        raise InputError(f"{folder.path}: this run has ended, so there is nothing left to warm up")
    wanted = _chunks(job, critics)
    run = Run(folder=folder, job=job, loaded=job.load(read_key(folder)))
    run.check_same_start()
    forbid_core_dumps()
    folder.complete()
    training = start_again(run)
    assert isinstance(training, GSWGANTraining)
    chunks = chunks_of(training.config, 0)
    for place in training.warm_up(wanted):
        yield chunks[place].last


def _chunks(job: TrainingJob, critics: CriticRange) -> range:
    """Return the places of the chunks in a range, which must hold whole chunks."""
    config = job.method
    if not isinstance(config, GSWGANConfig) or isinstance(config.stages[0].critic, DistanceCritic):
        raise InputError(f"{job.of_method.name}: this run has no critics to warm up; `gossamer resume` trains it")
    chunks = chunks_of(config, 0)
    places = [place for place, one in enumerate(chunks) if critics.first <= one.first and one.last <= critics.last + 1]
    covered = sum(chunks[place].last - chunks[place].first for place in places)
    if not places or covered != critics.last + 1 - critics.first:
        raise InputError(
            f"--critics {critics.first}..{critics.last}: critics are warmed in chunks of {config.critics_at_once}, of "
            f"{config.num_critics} in all; give whole chunks, such as 0..{chunks[0].last - 1}"
        )
    return range(places[0], places[-1] + 1)
