"""A public start as a user asks for it: read and checked before a run, made once, and kept in its folder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch

from gossamer.data.catalogue import is_named
from gossamer.data.image_choice import AS_STORED, ImageChoice
from gossamer.data.records import AbstractSpec, RecordSet
from gossamer.data.series_choice import NOTHING_SAID, SeriesChoice, load_beside
from gossamer.driving.generator_file import load_generator
from gossamer.driving.job import TrainingJob, data_digest, whole_path
from gossamer.errors import InputError
from gossamer.methods.method import Method
from gossamer.methods.starting import (
    GENERATOR,
    FreshStart,
    Networks,
    PublicStart,
    StartFacts,
    StartFromRecords,
    StartFromRelease,
    check_same_generator,
)
from gossamer.methods.trained import GeneratorRecipe
from gossamer.privacy.dealing import UnitKey
from gossamer.runs.folder import RunFolder
from gossamer.runs.manifest import file_digest
from gossamer.runs.release import GENERATOR as GENERATOR_FILE
from gossamer.runs.release import find_generator
from gossamer.runs.start_file import read_start
from gossamer.runs.zoo import is_in_zoo

DEFAULT_STEPS: Final = 500
"""Steps on public records if no number is given."""
# Public records are nobody's secret: the same ones are read whenever their split is by a key.
_PUBLIC_KEY: Final = UnitKey(bytes(32))


@dataclass(frozen=True, kw_only=True)
class StartChoice:
    """The start that a user asks for. Public.

    Attributes:
        source: a generator's file or folder, or the name or path of public records. None for a fresh start.
        num_steps: steps on public records, None for the usual number.
        data: name or path of the private records, None if they have neither.
        data_dir: folder of published sets, or None.
        series: the way in which public series are read.
        images: the way in which public images are read.
    """

    source: str | None = None
    num_steps: int | None = None
    data: str | None = None
    data_dir: Path | None = None
    series: SeriesChoice = NOTHING_SAID
    images: ImageChoice = AS_STORED

    def __post_init__(self) -> None:
        if self.source is None and self.num_steps is not None:
            raise InputError("--start-steps (start_steps) goes with --start-from and public records: leave it out")
        if self.num_steps is not None and self.num_steps < 1:
            raise InputError(f"--start-steps (start_steps) must be 1 or more, got {self.num_steps}")

    def is_of(self, facts: StartFacts) -> bool:
        """Tell if a run that began with these facts was asked for the same. No file is read."""
        match facts:
            case FreshStart():
                return self.source is None
            case StartFromRelease():
                return self.source is not None and whole_path(self.source) == facts.source and self.num_steps is None
            case StartFromRecords():
                steps = self.num_steps or DEFAULT_STEPS
                return self.source is not None and (whole_path(self.source), steps) == (facts.source, facts.num_steps)


@dataclass(frozen=True, kw_only=True, eq=False)
class PreparedStart:
    """A start that was read and fits, before time is spent on its networks.

    Attributes:
        facts: for the statement.
        make: returns the networks. On public records that takes a training.
    """

    facts: StartFacts
    make: Callable[[torch.device], Networks]

    def made(self, device: torch.device) -> PublicStart:
        """Return the start with its networks."""
        return PublicStart(facts=self.facts, networks=self.make(device))


def prepare_start(choice: StartChoice, method: Method[Any], config: Any, private: RecordSet) -> PreparedStart:
    """Read the start that a user asks for, and check it against settings and shape, which are public.

    Args:
        choice: as asked for.
        method: of the training.
        config: its settings.
        private: the records to learn from, which no start may hold.

    Raises:
        InputError: the method starts nothing, the file is damaged or of another kind, or its generator or records do
            not fit. Or its records are the private ones.
    """
    if choice.source is None:
        return PreparedStart(facts=FreshStart(), make=lambda device: {})
    method.check_starts()
    if _is_generator(choice.source):
        return _from_release(choice, config, private.spec)
    return _from_records(choice, method, config, private)


def start_of_first(folder: RunFolder) -> PreparedStart:
    """Return the start of a run that another process has begun, without its networks: they lie in the folder."""
    return PreparedStart(facts=TrainingJob.read(folder).start, make=lambda device: {})


def kept_start(folder: RunFolder, facts: StartFacts) -> PublicStart:
    """Return the start that a run keeps. The file or the records that it came from are not read again.

    Raises:
        InputError: it is missing or was changed.
    """
    if isinstance(facts, FreshStart):
        return PublicStart()
    return PublicStart(facts=facts, networks=read_start(folder))


def _is_generator(source: str) -> bool:
    path = Path(source)
    if is_named(source):
        return False
    is_run = any((path / name).is_file() for name in (GENERATOR_FILE, "config.json"))
    return path.suffix == ".safetensors" or is_run or is_in_zoo(path)


def _from_release(choice: StartChoice, config: Any, spec: AbstractSpec) -> PreparedStart:
    assert choice.source is not None
    if choice.num_steps is not None:
        raise InputError(
            f"{choice.source}: a released generator is taken as it is: leave --start-steps (start_steps) out"
        )
    file = find_generator(Path(choice.source))
    digest = file_digest(file) if file.is_file() else ""
    trained = load_generator(file)
    if file_digest(file) != digest:
        raise InputError(f"{file}: changed while it was read; start again when it is at rest")
    wanted = GeneratorRecipe.of(spec, network=config.generator, latent=config.latent)
    check_same_generator(trained.recipe, wanted, str(file))
    statement = trained.statement
    facts = StartFromRelease(
        source=choice.source if is_in_zoo(choice.source) else whole_path(choice.source),
        sha256=digest,
        method=statement.mechanism.partition(":")[0],
        claim=statement.claim,
        run_id=statement.run_id,
    )
    return PreparedStart(facts=facts, make=lambda device: {GENERATOR: trained.weights})


def _from_records(choice: StartChoice, method: Method[Any], config: Any, private: RecordSet) -> PreparedStart:
    assert choice.source is not None
    spec = private.spec
    is_same_path = choice.data is not None and whole_path(choice.source) == whole_path(choice.data)
    if is_same_path or choice.source == private.published_name:
        # Privacy: an honest slip that can be told from public words.
        raise InputError(f"{choice.source}: names the private records themselves; start from records that are public")
    num_classes = None if is_named(choice.source) else spec.num_classes or None
    key, images = _PUBLIC_KEY, choice.images
    public = load_beside(choice.source, choice.data_dir, num_classes, choice.series, key, images).train
    _check_fits(public, spec)
    _check_other(public, private, choice.source)
    num_steps = choice.num_steps or DEFAULT_STEPS
    facts = StartFromRecords(source=whole_path(choice.source), sha256=data_digest(public), num_steps=num_steps)
    return PreparedStart(facts=facts, make=lambda device: method.pretrain(config, public, num_steps, device))


def _check_fits(public: RecordSet, spec: AbstractSpec) -> None:
    found, wanted = (public.spec.shape, public.spec.num_classes), (spec.shape, spec.num_classes)
    if found != wanted:
        raise InputError(
            f"{public.name}: public records of shape {found[0]} in {found[1]} classes, the data has shape {wanted[0]} "
            f"in {wanted[1]}; start from records of the same shape and number of classes"
        )


def _check_other(public: RecordSet, private: RecordSet, where: str) -> None:
    """Refuse a copy of the private records. A part of them, or a changed copy, cannot be told in this way."""
    if torch.equal(public.x, private.x):
        # Privacy: nothing would protect them, and the statement would publish their digest. A refusal releases nothing.
        raise InputError(f"{where}: holds the private records themselves; start from records that are public")
