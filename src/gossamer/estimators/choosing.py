"""`gossamer.fit`: a method chosen by public facts, and its estimator fitted."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Final, Unpack

from gossamer.data.files import path_of
from gossamer.driving.protection import check_unit, protect
from gossamer.errors import InputError
from gossamer.estimators.estimator import AbstractEstimator
from gossamer.estimators.methods import DPCGAN, DPMERF, GSWGAN, DPMixture, LabelledMixture
from gossamer.estimators.records import Array, Source, read_source
from gossamer.estimators.tables import Said, is_path
from gossamer.estimators.values import whole
from gossamer.methods.choosing import Choice, PublicFacts, chosen
from gossamer.methods.training import Progress
from gossamer.nn.devices import DeviceName, find_device
from gossamer.privacy.adjacency import Unit, UnitName
from gossamer.privacy.budget import PrivacyBudget
from gossamer.privacy.dealing import UnitKey
from gossamer.runs.folder import RunFolder
from gossamer.runs.key_file import read_key

_LOG: Final = logging.getLogger("gossamer")
ESTIMATORS: Final = (GSWGAN, DPCGAN, DPMERF, DPMixture, LabelledMixture)
"""The classes among which `fit` chooses."""


def fit(
    x: Source,
    y: Array | None = None,
    people: Array | None = None,
    *,
    epsilon: float,
    delta: float | None = None,
    unit: UnitName | None = None,
    num_people: int | None = None,
    num_records: int | None = None,
    num_classes: int | None = None,
    num_tuning_runs: int = 0,
    device: DeviceName = "auto",
    seed: int = 0,
    run: str | Path | None = None,
    progress: Callable[[Progress], None] | None = None,
    **said: Unpack[Said],
) -> AbstractEstimator:
    """Choose a method and its settings by public facts, and learn a generator from private records.

    The choice follows from kind, shape and classes, the public number of records or people, and epsilon. The name of a
    published set and the presence of a GPU count too. It is the choice of ``gossamer train auto``. The log named
    "gossamer" gives the reasons.

    Guarantee: as `AbstractEstimator.fit`. The choice is a function of public facts, so it costs no privacy.

    Args:
        x: as for `AbstractEstimator.fit`.
        y: likewise.
        people: likewise.
        epsilon: privacy budget, above 0.
        delta: as for `AbstractEstimator`, and so are the following arguments.
        unit: of protection. Default: as for `AbstractEstimator`.
        num_people: public upper bound on the number of people.
        num_records: public upper bound on the number of records.
        num_classes: public number of classes.
        num_tuning_runs: earlier runs on the same records.
        device: where to compute.
        seed: public.
        run: folder to write the run into, or to go on in.
        progress: called now and then with the progress of the training.
        said: public facts beside the source, as for `AbstractEstimator.fit`.

    Returns:
        The fitted estimator, of the class of the chosen method.

    Raises:
        InputError: as `AbstractEstimator.fit`, or nothing was measured on such records.
        PrivacyError: as `AbstractEstimator.fit`.
        ResourceError: as `AbstractEstimator.fit`.
    """
    # Refused before the data is read.
    PrivacyBudget(epsilon=epsilon, delta=0.5 if delta is None else delta)
    for name, number in (("num_people", num_people), ("num_records", num_records), ("num_classes", num_classes)):
        if number is not None:
            whole(name, number)
    check_unit(unit, num_people, num_records)
    key = _key_of(run)
    read = read_source(x, y, people, num_classes, Unit.RECORD if unit is None else Unit(unit), key, said)
    data, slots = protect(read, unit, num_people, num_records)
    choice = chosen(PublicFacts.of(data.train, slots, float(epsilon), find_device(device)))
    for sentence in choice.reasons:
        _LOG.warning("fit: %s", sentence)
    model = estimator_of(choice)(
        epsilon,
        delta,
        recipe=choice.recipe,
        unit=slots.unit.value,
        device=device,
        seed=seed,
        num_people=num_people,
        num_records=num_records,
        num_classes=num_classes,
        num_tuning_runs=num_tuning_runs,
    )
    if run is not None and is_path(x):
        # A run keeps the path, by which the command resumes and audits it, so it reads the records itself.
        return model.fit(x, y, people, run=run, progress=progress, **said)
    # Else nothing is read twice. A data set or loader might draw other records the second time.
    return model.fit(read, run=run, progress=progress)


def estimator_of(choice: Choice) -> type[AbstractEstimator]:
    """Return the class of the chosen method.

    Raises:
        InputError: it has none.
    """
    for kind in ESTIMATORS:
        if kind.method is choice.method:
            return kind
    raise InputError(f"{choice.method.name} has no class in Python: train it by the command")


def _key_of(run: str | Path | None) -> UnitKey:
    folder = None if run is None else RunFolder(path_of(run, "run"))
    return UnitKey.drawn() if folder is None or not folder.config_file.is_file() else read_key(folder)
