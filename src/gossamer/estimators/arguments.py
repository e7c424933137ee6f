"""The arguments of an estimator, checked before any data are seen. No message quotes a thing that is no setting."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, fields
from numbers import Real
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch

from gossamer.data.files import path_of
from gossamer.data.records import check_num_classes
from gossamer.driving.protection import check_roster, check_unit
from gossamer.driving.starting import StartChoice
from gossamer.errors import InputError, told
from gossamer.estimators.values import check_setting, whole
from gossamer.methods.method import Method
from gossamer.nn.devices import find_device
from gossamer.privacy.adjacency import Unit
from gossamer.privacy.budget import PrivacyBudget

DEFAULTS: Final[Mapping[str, Any]] = {
    "epsilon": None,
    "delta": None,
    "recipe": None,
    "unit": None,
    "num_people": None,
    "num_records": None,
    "num_classes": None,
    "num_tuning_runs": 0,
    "roster": None,
    "device": "auto",
    "seed": 0,
    "start_from": None,
    "start_steps": None,
}
"""The arguments that all estimators share, in the order of their signature, and their defaults."""
_COUNTS: Final = ("num_people", "num_records", "num_classes", "start_steps")


@dataclass(frozen=True, kw_only=True)
class Arguments:
    """Arguments of an estimator, of the types of Python. All of them are public.

    Attributes:
        epsilon: of the budget.
        delta: of the budget, or None for the usual one.
        recipe: name of settings to start from, or None.
        unit: of protection, or None for the usual one of the records.
        num_people: public number of people, or None.
        num_records: public number of records, or None.
        num_classes: public number of classes, or None.
        num_tuning_runs: earlier runs, as declared.
        roster: file with the names of all people who may have records, or None.
        device: to compute on.
        seed: public.
        start_from: file, folder or name of a public start, or None.
        start_steps: steps on public records, or None for the usual number.
        settings: fields of the method's configuration in place of the recipe's.
    """

    epsilon: float
    delta: float | None
    recipe: str | None
    unit: Unit | None
    num_people: int | None
    num_records: int | None
    num_classes: int | None
    num_tuning_runs: int
    roster: Path | None
    device: torch.device
    seed: int
    start_from: str | None
    start_steps: int | None
    settings: Mapping[str, Any]

    @classmethod
    def read(cls, kind: str, method: Method[Any], given: Mapping[str, Any]) -> Arguments:
        """Check arguments by name.

        Args:
            kind: name of the estimator, for messages.
            method: of the estimator.
            given: the shared arguments, all of them, and settings.

        Raises:
            InputError: no epsilon, an unknown recipe or setting, or a value of the wrong kind or out of range. Or a
                roster where nobody gets a critic by it.
            PrivacyError: a delta outside (0, 1).
        """
        if given["epsilon"] is None:
            raise InputError(
                f"{kind}: epsilon is missing, and there is no default: choose the privacy budget, for example "
                f"{kind}(epsilon=1.0); model.plan(x) then says, before anything is spent, how far it goes"
            )
        _check_kinds(given)
        counts = {name: None if given[name] is None else whole(name, given[name]) for name in _COUNTS}
        num_tuning_runs, seed = whole("num_tuning_runs", given["num_tuning_runs"]), whole("seed", given["seed"])
        if num_tuning_runs < 0:
            raise InputError(f"num_tuning_runs must be 0 or more, not {num_tuning_runs}")
        if counts["num_classes"] is not None:
            check_num_classes(counts["num_classes"])
        epsilon, delta = float(given["epsilon"]), None if given["delta"] is None else float(given["delta"])
        # A budget with a delta that is always valid, so that epsilon is refused here and not after the data were read.
        PrivacyBudget(epsilon=epsilon, delta=0.5 if delta is None else delta)
        if given["recipe"] is not None:
            method.find(given["recipe"])
        StartChoice(source=_start_from(given["start_from"]), num_steps=counts["start_steps"])
        check_unit(given["unit"], counts["num_people"], counts["num_records"])
        roster = None if given["roster"] is None else path_of(given["roster"], "roster")
        if roster is not None:
            check_roster(method, given["unit"], counts["num_people"])
        return cls(
            epsilon=epsilon,
            delta=delta,
            recipe=given["recipe"],
            unit=None if given["unit"] is None else Unit(given["unit"]),
            **counts,
            num_tuning_runs=num_tuning_runs,
            roster=roster,
            device=find_device(given["device"]),
            seed=seed,
            start_from=_start_from(given["start_from"]),
            settings=_settings(kind, method, given),
        )


def _check_kinds(given: Mapping[str, Any]) -> None:
    for name in ("epsilon", "delta"):
        if isinstance(given[name], bool) or not isinstance(given[name], Real | None):
            raise InputError(f"{name} must be a number, not {type(given[name]).__name__}")
    for name in ("recipe", "unit", "device"):
        # Privacy: a table handed over by mistake must not be quoted.
        if not isinstance(given[name], str) and (given[name] is not None or name == "device"):
            raise InputError(f"{name} must be a name, not {type(given[name]).__name__}")


def _start_from(source: object) -> str | None:
    return None if source is None else str(path_of(source, "start_from"))


def _settings(kind: str, method: Method[Any], given: Mapping[str, Any]) -> dict[str, Any]:
    settings = {name: value for name, value in given.items() if name not in DEFAULTS}
    if "noise_multiplier" in settings:
        raise InputError("noise_multiplier follows from epsilon here: leave it out")
    known = {field.name for field in fields(method.config)} - {"noise_multiplier", "seed"}
    for name in sorted(settings.keys() - known):
        names = ", ".join(sorted([*known, *_COUNTS, "num_tuning_runs", "roster"]))
        raise InputError(f"{kind} has no setting {told(name)}; the settings are {names}")
    for name, value in settings.items():
        check_setting(name, tuple(value) if isinstance(value, list) else value)
    return settings


def _is_setting(value: object) -> bool:
    if isinstance(value, tuple):
        return all(map(_is_setting, value))
    is_config = dataclasses.is_dataclass(value) and not isinstance(value, type)
    return value is None or is_config or isinstance(value, bool | int | float | str | np.generic)


def is_chosen(name: str, value: object) -> bool:
    """Return True for a setting, and for a shared argument that is not the default."""
    return name not in DEFAULTS or not (value is DEFAULTS[name] or shown(value) == shown(DEFAULTS[name]))


def shown(value: object) -> str:
    """Return an argument as `repr` shows it: numbers, names and configurations, and of all else the type alone.

    >>> shown(2.0), shown("mnist-cpu"), shown([1])
    ('2.0', "'mnist-cpu'", '<list>')
    """
    return repr(value) if _is_setting(value) and not isinstance(value, np.generic) else _of_other_type(value)


def _of_other_type(value: object) -> str:
    return str(value.item()) if isinstance(value, np.number) else f"<{type(value).__name__}>"
