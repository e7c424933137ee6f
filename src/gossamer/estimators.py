"""Fit and sample, for people in a hurry: GS-WGAN after the habit of scikit-learn, in numpy's terms."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from gossamer.data.catalogue import NAMED_DATA, load_records
from gossamer.data.images import ImageSpec, check_sides
from gossamer.data.records import DEFAULT_NUM_CLASSES, RecordData, RecordSet, check_num_classes, check_num_values
from gossamer.errors import GossamerError, InputError
from gossamer.mechanisms.noise import KeyedNoise
from gossamer.methods.gs_wgan import GSWGANConfig, GSWGANTraining, calibrate
from gossamer.methods.protected import num_slots_of, reserve_people
from gossamer.methods.trained import GeneratorRecipe, TrainedGenerator
from gossamer.methods.warm_start import MemoryStore
from gossamer.nn.allowance import Allowance
from gossamer.privacy.adjacency import Unit
from gossamer.privacy.budget import PrivacyBudget, check_delta, default_delta
from gossamer.privacy.statement import PrivacyStatement
from gossamer.recipes.gs_wgan import find_recipe, recipe_for
from gossamer.runs.config_io import from_json_tree, to_json_tree
from gossamer.runs.release import find_generator, read_generator, write_generator

DeviceName = Literal["auto", "cpu", "cuda"]
UnitName = Literal["record", "person"]
_WEIGHT_TYPES = (torch.float32, torch.int64)
_MAX_RECIPE_DEPTH = 20
_MAX_RECIPE_ITEMS = 1000
Source = np.ndarray | RecordSet | RecordData | str | Path


@dataclass(frozen=True, kw_only=True, eq=False)
class ReleasedGenerator:
    """A generator that may be shared, with its statement: what `GSWGAN.fit` leaves behind and `load` reads.

    Guarantee: it holds no record, no critic and no path to one. Sampling is post-processing and costs nothing more.

    Args:
        trained: generator and statement, in torch's terms.
    """

    trained: TrainedGenerator

    @property
    def statement(self) -> PrivacyStatement:
        """What is claimed, for whom, and under which assumptions."""
        return self.trained.statement

    def sample(
        self, num_samples: int, labels: np.ndarray | None = None, *, seed: int = 0
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """Draw synthetic images.

        Args:
            num_samples: how many, at least 1.
            labels: integers (num_samples,), or None for all classes in turn.
            seed: the same seed gives the same images.

        Returns:
            Images float32 (num_samples, channels, height, width) in [0, 1], and labels int64 (num_samples,), None for a
            generator without classes.

        Raises:
            InputError: a number below 1, or labels of another length, of another kind or outside the classes.
        """
        chosen = None if labels is None else torch.from_numpy(_integers(labels, "labels"))
        x, y = self.trained.sample(num_samples, labels=chosen, seed=seed)
        return x.numpy(), None if y is None else y.numpy()

    def save(self, path: str | Path) -> Path:
        """Write one safetensors file that holds weights, recipe and statement; `load` and `gossamer sample` read it.

        Raises:
            ResourceError: it cannot be written.
        """
        return write_generator_file(self.trained, Path(path))


class GSWGAN:
    """GS-WGAN by fit and sample: a generator of images within a privacy budget.

    Guarantee:
        What `sample`, `statement` and `save` give is (epsilon, delta)-differentially private for one record, in the
        sense and on the assumptions that `statement` writes out. Each further `fit` on the same records is a release
        of its own: epsilons and deltas add up.

    Args:
        epsilon: privacy budget, above 0; the noise follows from it.
        delta: below one over the number of records; default: the largest power of ten at or below 1/(10 N).
        recipe: name of the settings to start from, ``mnist-cpu`` for instance; default: by name or size of the data.
        unit: whom to protect: "record", or "person" with all records of that person; `fit` is then told whose they are.
        num_people: public number of people to reserve slots for; default: as many as the data names.
        device: where to compute; auto takes a GPU when there is one.
        seed: public; initial weights, latents and shards follow from it, the noise never.
        num_classes: public number of classes of your own labelled data; 10 is assumed when it is left out, since
            reading it from private labels would give something away.
        settings: fields of `GSWGANConfig` in place of the recipe's, ``num_steps=2000`` for instance.

    Raises:
        InputError: an unknown recipe or setting, or a number out of range.
        PrivacyError: a delta outside (0, 1).

    Example:
        >>> model = GSWGAN(epsilon=10.0, num_critics=4, num_steps=2, batch_size=4, draws_per_step=4)
        >>> x, y = model.fit(np.zeros((90, 8, 8), dtype="uint8"), np.arange(90) % 3).sample(5)
        >>> x.shape, y.tolist(), model.statement.epsilon <= 10
        ((5, 1, 8, 8), [0, 1, 2, 3, 4], True)
    """

    def __init__(
        self,
        epsilon: float = 10.0,
        delta: float | None = None,
        *,
        recipe: str | None = None,
        unit: UnitName = "record",
        num_people: int | None = None,
        device: DeviceName = "auto",
        seed: int = 0,
        num_classes: int | None = None,
        **settings: Any,
    ) -> None:
        # A budget that no delta spoils, so that epsilon is refused here and not after the data were read.
        PrivacyBudget(epsilon=epsilon, delta=0.5 if delta is None else delta)
        _check_settings(settings)
        if recipe is not None:
            find_recipe(recipe)
        if num_classes is not None:
            check_num_classes(num_classes)
        self.epsilon = epsilon
        self.delta = delta
        self.recipe = recipe
        self.unit = _find_unit(unit, num_people)
        self.num_people = num_people
        self.device: torch.device = _find_device(device)
        self.seed = seed
        self.num_classes = num_classes
        self.settings = settings
        self._released: ReleasedGenerator | None = None

    def fit(self, x: Source, y: np.ndarray | None = None, people: np.ndarray | None = None) -> GSWGAN:
        """Learn a generator from private images.

        Args:
            x: images (records, height, width) or (records, channels, height, width), floats in [0, 1] or uint8; or an
                `RecordSet` or `RecordData`; or a name or path that `load_records` knows.
            y: integer labels (records,) beside an array; None for images without classes.
            people: integers or text (records,) beside an array: any name of whom a record is of.

        Returns:
            The estimator itself.

        Raises:
            InputError: images or labels that break a rule, people that nobody names, fewer records or people than
                critics, or settings that do not fit.
            PrivacyError: delta is one over the number of records or people, or more.
        """
        data = _read(x, y, people, self.num_classes)
        if self.unit is Unit.PERSON:
            data = reserve_people(data, self.num_people)
        num_slots = num_slots_of(data.train, self.unit)
        delta = default_delta(num_slots) if self.delta is None else self.delta
        check_delta(delta, num_slots)
        config = calibrate(
            self._config(x, data.train, num_slots),
            num_slots,
            PrivacyBudget(epsilon=self.epsilon, delta=delta),
            self.unit,
        )
        training = GSWGANTraining(
            config,
            data.train,
            KeyedNoise(),
            delta=delta,
            unit=self.unit,
            device=self.device,
            store=MemoryStore(),
            public_notes=data.public_notes,
        )
        for _ in training:
            pass
        self._released = ReleasedGenerator(trained=training.trained())
        return self

    def _config(self, x: Source, images: RecordSet, num_slots: int) -> GSWGANConfig:
        if self.recipe is not None:
            config = find_recipe(self.recipe).config
        elif isinstance(x, str) and x in {data.name for data in NAMED_DATA}:
            config = find_recipe(f"{x}-cpu").config
        else:
            config = recipe_for(images.spec, num_slots).config
        changes: dict[str, Any] = {"seed": self.seed} | self.settings
        return replace(config, **changes)

    @property
    def released(self) -> ReleasedGenerator:
        """The generator alone: the only thing here that may be shared.

        Raises:
            InputError: nothing was fitted yet.
        """
        if self._released is None:
            raise InputError("this GSWGAN has learnt nothing yet: call fit(images, labels) first")
        return self._released

    @property
    def statement(self) -> PrivacyStatement:
        """As `ReleasedGenerator.statement`."""
        return self.released.statement

    def sample(
        self, num_samples: int, labels: np.ndarray | None = None, *, seed: int = 0
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """As `ReleasedGenerator.sample`."""
        return self.released.sample(num_samples, labels, seed=seed)

    def save(self, path: str | Path) -> Path:
        """As `ReleasedGenerator.save`."""
        return self.released.save(path)


def load(path: str | Path) -> ReleasedGenerator:
    """Read a generator that `save` or `gossamer train` wrote. No code in the file is run.

    Args:
        path: the safetensors file; or a run folder, of which only ``release/`` is read; or the folder of a generator
            that it saved on the way, ``release/checkpoints/step-000500``.

    Raises:
        InputError: there is none, or it is damaged.
    """
    return ReleasedGenerator(trained=load_generator(Path(path)))


def load_generator(path: Path) -> TrainedGenerator:
    """As `load`, in torch's terms.

    Raises:
        InputError: there is none, or it is damaged.
    """
    file = find_generator(path)
    weights, recipe, statement = read_generator(file)
    num_weights = sum(weight.numel() for weight in weights.values())
    _check_sizes(file, recipe, num_weights)
    _check_weights(file, weights)
    trained = TrainedGenerator(
        recipe=from_json_tree(GeneratorRecipe, recipe, str(file)),
        weights=weights,
        statement=_read_statement(file, statement),
    )
    try:
        with Allowance(num_weights):
            trained.sample(1)
    except (RuntimeError, LookupError, TypeError, ValueError, ArithmeticError):
        raise InputError(f"{file}: the weights do not fit the recipe in its header; fetch the file again") from None
    return trained


def _read_statement(file: Path, document: dict[str, Any]) -> PrivacyStatement:
    try:
        return PrivacyStatement.from_json(document)
    except GossamerError as error:
        raise InputError(f"{file}: {error}") from None


def _check_weights(file: Path, weights: dict[str, torch.Tensor]) -> None:
    """Refuse weights that are no numbers, or of a type that no generator here has."""
    for weight in weights.values():
        if weight.dtype not in _WEIGHT_TYPES:
            raise InputError(f"{file}: a weight is of type {weight.dtype}; fetch the file again")
        # A part at a time: a file may be mapped into memory that is less than it claims.
        if not all(bool(part.isfinite().all()) for part in weight.flatten().split(2**22)):
            raise InputError(f"{file}: a weight is not a finite number; fetch the file again")


def _check_sizes(file: Path, recipe: Any, num_weights: int, depth: int = 0) -> None:
    """Refuse a recipe that names more units than there are weights, before memory is taken for them."""
    if depth > _MAX_RECIPE_DEPTH or len(recipe) > _MAX_RECIPE_ITEMS:
        raise InputError(f"{file}: its recipe is nested too deeply or too long; fetch the file again")
    for value in recipe.values() if isinstance(recipe, dict) else recipe:
        if isinstance(value, dict | list):
            _check_sizes(file, value, num_weights, depth + 1)
        elif isinstance(value, int) and value > num_weights:
            raise InputError(f"{file}: its recipe asks for more than its {num_weights} weights; fetch the file again")


def write_generator_file(trained: TrainedGenerator, path: Path) -> Path:
    """Write a generator with its recipe and statement in the header of one file."""
    write_generator(
        path, weights=trained.weights, recipe=to_json_tree(trained.recipe), statement=trained.statement.to_json()
    )
    return path


def _check_settings(settings: dict[str, Any]) -> None:
    if "noise_multiplier" in settings:
        raise InputError("noise_multiplier follows from epsilon here: leave it out, or drive GSWGANTraining yourself")
    known = {field.name for field in fields(GSWGANConfig)} - {"noise_multiplier", "seed"}
    for name in settings:
        if name not in known:
            raise InputError(f"GSWGAN has no setting {name!r}; the settings are {', '.join(sorted(known))}")


def _find_unit(unit: UnitName, num_people: int | None) -> Unit:
    if unit not in ("record", "person"):
        raise InputError(f"unit must be record or person, not {unit!r}")
    if num_people is not None and unit == "record":
        raise InputError("num_people goes with unit person: give both, or neither")
    return Unit(unit)


def _find_device(name: DeviceName) -> torch.device:
    if name not in ("auto", "cpu", "cuda"):
        raise InputError(f"device must be auto, cpu or cuda, not {name!r}")
    if name == "cuda" and not torch.cuda.is_available():
        raise InputError("device cuda: this machine has no usable GPU; use cpu or auto")
    return torch.device("cuda" if name != "cpu" and torch.cuda.is_available() else "cpu")


def _read(x: Source, y: np.ndarray | None, people: np.ndarray | None, num_classes: int | None) -> RecordData:
    if isinstance(x, np.ndarray):
        return _from_arrays(x, y, people, num_classes)
    if y is not None or people is not None:
        raise InputError("y and people go with an array x alone: a RecordSet, a name or a path brings its own")
    if isinstance(x, RecordData):
        return x
    if isinstance(x, RecordSet):
        return RecordData(train=x)
    if isinstance(x, str | Path):
        return load_records(str(x), None, num_classes)
    raise InputError(f"x must be a numpy array, an RecordSet, a name or a path, not {type(x).__name__}")


def _from_arrays(x: np.ndarray, y: np.ndarray | None, people: np.ndarray | None, num_classes: int | None) -> RecordData:
    """The rules of a user's NPZ file, for arrays in memory."""
    images = _pixels(x)
    shape = "The image shape and whether there are labels were read from the arrays and are taken as public."
    names, notes = (), (shape,)
    if y is not None:
        # Privacy: a constant when it is not given; the largest private label must not decide a public shape.
        names = tuple(str(label) for label in range(DEFAULT_NUM_CLASSES if num_classes is None else num_classes))
        notes = (shape, _classes_note(num_classes))
    elif num_classes is not None:
        raise InputError("num_classes was given but no labels y: hand over y, or leave num_classes out")
    spec = ImageSpec(channels=images.shape[1], height=images.shape[2], width=images.shape[3], class_names=names)
    labels = None if y is None else torch.from_numpy(_integers(y, "y"))
    return RecordData(
        train=RecordSet(name="images", spec=spec, x=images, y=labels, people=_slots(people)), public_notes=notes
    )


def _classes_note(num_classes: int | None) -> str:
    if num_classes is not None:
        return f"The number of classes, {num_classes}, was given by the user."
    return (
        f"The number of classes was not given: the public default of {DEFAULT_NUM_CLASSES} (labels 0 to "
        f"{DEFAULT_NUM_CLASSES - 1}) was assumed, whatever the labels are; num_classes changes it."
    )


def _pixels(x: np.ndarray) -> torch.Tensor:
    """Images as float32 (records, channels, height, width); the range is checked by `RecordSet`."""
    if x.dtype != np.uint8 and x.dtype not in (np.float16, np.float32, np.float64):
        raise InputError(f"x has dtype {x.dtype}: it must be float16, float32 or float64 in [0, 1], or uint8")
    if x.ndim not in (3, 4):
        raise InputError(f"x has shape {x.shape}: it must be (records, height, width) or (records, channels, ...)")
    images = x[:, None] if x.ndim == 3 else x
    if images.shape[1] not in (1, 3):
        last = "; channels come second: numpy.moveaxis(x, -1, 1)" if images.shape[3] in (1, 3) else ""
        raise InputError(f"x has {images.shape[1]} channels, shape {x.shape}: 1 or 3{last}")
    check_sides("x", images.shape[2], images.shape[3])
    check_num_values("x", math.prod(images.shape))
    scale = 255 if x.dtype == np.uint8 else 1
    # A copy: what the caller does to the array later must not reach the records.
    return torch.from_numpy(np.divide(images, scale, dtype=np.float32))


def _slots(people: np.ndarray | None) -> torch.Tensor | None:
    """Names of people as slots 0, 1, ... in the order of the sorted names."""
    if people is None:
        return None
    names = np.asarray(people)
    if names.ndim != 1 or names.dtype.kind not in "iuU":
        raise InputError(f"people must be whole numbers or text of shape (records,), not {names.dtype} {names.shape}")
    return torch.from_numpy(np.unique(names, return_inverse=True)[1].astype(np.int64))


def _integers(values: np.ndarray, name: str) -> np.ndarray:
    """Whole numbers as an int64 copy."""
    array = np.asarray(values)
    if array.ndim != 1 or array.dtype.kind not in "iu":
        raise InputError(f"{name} must be whole numbers of shape (records,), not {array.dtype} {array.shape}")
    return array.astype(np.int64)
