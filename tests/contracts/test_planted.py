"""A word that a user hands over by mistake stands in no error, warning or log line, of any public function.

Every public name is called with private things in place of each argument in turn. A new public function, class or
method fails here until it is named, and so called.
"""

from __future__ import annotations

import importlib
import inspect
import json
import logging
import traceback
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import Enum
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pyarrow
import pytest
import torch
from PIL import Image
from torch.utils.data import TensorDataset

import gossamer
from gossamer import estimators, privacy
from gossamer.data.images import ImageSpec
from gossamer.data.records import RecordSet
from gossamer.data.series import SeriesSpec
from gossamer.errors import GossamerError, InputError
from gossamer.estimators import DPMixture, LabelledMixture, ReleasedGenerator, SyntheticDataset, scores
from gossamer.estimators.tables import Said
from gossamer.nn.images.settings import MLPCriticConfig, MLPGeneratorConfig
from gossamer.privacy import Ledger, LedgerEntry, PrivacyBudget, PrivacyStatement, gaussian_event

WORD = "PLANTED-7f3a"
NUMBER = 73190417.25
MARKS = (WORD, "73190417", "7.3190417e")
ROWS = [f"{WORD} {row}" for row in range(3)]

PLANTED: dict[str, Callable[[], Any]] = {
    "frame of text": lambda: pd.DataFrame({"name": ROWS, "age": [NUMBER] * 3}),
    "frame of numbers": lambda: pd.DataFrame({"a": [NUMBER] * 3, "b": [NUMBER] * 3}),
    "column": lambda: pd.Series(ROWS),
    "categories": lambda: pd.Categorical(ROWS),
    "table of pyarrow": lambda: pyarrow.table({"name": ROWS, "age": [NUMBER] * 3}),
    "array of text": lambda: np.array(ROWS),
    "array of objects": lambda: np.array([WORD, NUMBER, {"name": WORD}], dtype=object),
    "array of records": lambda: np.array([(WORD, NUMBER)] * 3, dtype=[("name", "U20"), ("age", float)]),
    "array of numbers": lambda: np.full((3, 2), NUMBER),
    "array of a number": lambda: np.full(3, NUMBER),
    "array of whole numbers": lambda: np.full(3, int(NUMBER)),
    "tensor": lambda: torch.full((3, 8, 8), NUMBER, dtype=torch.float64),
    "tensor of whole numbers": lambda: torch.full((3,), int(NUMBER)),
    "data set of torch": lambda: TensorDataset(torch.full((3, 8, 8), NUMBER), torch.full((3,), int(NUMBER))),
    "dictionary": lambda: {"name": WORD, "age": NUMBER},
    "nested": lambda: [{"name": WORD, "visits": [(NUMBER, WORD)]}],
    "list": lambda: list(ROWS),
    "tuple": lambda: tuple(ROWS),
    "uneven list": lambda: [[WORD, NUMBER], [WORD]],
    "set": lambda: set(ROWS),
    "bytes": lambda: WORD.encode(),
    "text of a table": lambda: "name,age\n" + "\n".join(f"{row},{NUMBER}" for row in ROWS),
    "long text": lambda: json.dumps([{"name": row, "age": NUMBER} for row in ROWS] * 20),
    "object": lambda: SimpleNamespace(name=WORD, age=NUMBER),
}


@dataclass(frozen=True, kw_only=True)
class Call:
    """A call that works, and the arguments of it that private things take the place of."""

    function: Callable[..., Any]
    usual: dict[str, Any] = field(default_factory=dict)
    others: tuple[str, ...] = ()

    @property
    def arguments(self) -> list[str]:
        kinds = inspect.signature(self.function).parameters.values()
        return [one.name for one in kinds if one.kind not in (one.VAR_KEYWORD, one.VAR_POSITIONAL)] + [*self.others]


X, Y = np.random.default_rng(0).random((12, 8, 8)), np.arange(12) % 2
OF_SERIES = X.reshape(12, 64)
TINY = DPMixture(epsilon=9.0, num_classes=2)
SERIES = {"x": np.zeros((12, 2, 6)), "y": Y, "low": 0.0, "high": 1.0, "num_classes": 2}
SPEC = ImageSpec(channels=1, height=8, width=8, class_names=("a", "b"))
RECORDS = {"name": "mine", "spec": SPEC, "x": torch.zeros(12, 1, 8, 8), "y": torch.zeros(12, dtype=torch.int64)}
EVENT = gaussian_event(noise_multiplier=2.0)
BUDGET = PrivacyBudget(epsilon=5.0, delta=1e-5)
SAID = tuple(Said.__annotations__)
NUMBERS = ("num_people", "num_records", "num_classes", "num_tuning_runs")


def of_method(kind: type[Any]) -> Call:
    """The constructor of a method, with all of its settings."""
    settings = inspect.signature(kind.method.config).parameters if hasattr(kind, "method") else ()
    return Call(function=kind, usual={"epsilon": 9.0}, others=(*NUMBERS, *settings))


class NothingScored:
    """Stands for the scoring of records that were read and checked: its classifiers would take minutes."""

    lacking = False

    def scored(self) -> list[Any]:
        return [SimpleNamespace(evaluation=None)]


@dataclass(frozen=True, kw_only=True)
class OwnGenerator(MLPGeneratorConfig):
    """A generator of a user's own."""


@dataclass(frozen=True, kw_only=True)
class OwnCritic(MLPCriticConfig):
    """A critic of a user's own."""


@pytest.fixture(scope="module")
def calls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Call]]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scores.Scoring, "begin", lambda *given: NothingScored())
        yield calls_of(tmp_path_factory)


def calls_of(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Call]:
    fitted = DPMixture(epsilon=9.0, num_classes=2).fit(X, Y)
    labelled = LabelledMixture(epsilon=9.0, num_classes=2, teacher_steps=2).fit(X, Y).released
    # With labels, since a release without classes has none to name.
    of_series = DPMixture(epsilon=9.0, num_classes=2).fit(OF_SERIES, Y, low=0, high=1, sample_rate=50).released
    released, folder = fitted.released, tmp_path_factory.mktemp("planted")
    loop = TINY.start(X, Y, run=folder / "run")
    pictures = folder / "pictures"
    pictures.mkdir()
    Image.new("L", (8, 8)).save(pictures / "a.bmp")
    statement, saved = released.statement, released.save(folder / "saved.safetensors")
    fields = {name: getattr(statement, name) for name in inspect.signature(PrivacyStatement).parameters}
    draw = {"num_samples": 2}
    step = {"first_step": 0, "num_steps": 3, "process_index": 0}
    ledger = Ledger(entries=(LedgerEntry(**step),))
    sampled = {"sample_rate": 0.1, "noise_multiplier": 2.0, "num_steps": 3}
    critics = {"num_critics": 10, "noise_multiplier": 2.0, "num_steps": 3, "batch_size": 4}
    priced = {"event": EVENT, "delta": 1e-5}
    noise = {"event_of_noise": lambda sigma: gaussian_event(noise_multiplier=sigma), "budget": BUDGET}
    steps = {
        "event_of_steps": lambda number: gaussian_event(noise_multiplier=20.0, num_releases=number),
        "budget": BUDGET,
    }
    return {
        **{
            name: of_method(getattr(estimators, name))
            for name in ("DPMixture", "DPMERF", "GSWGAN", "DPCGAN", "LabelledMixture")
        },
        "AbstractEstimator.fit": Call(function=TINY.fit, usual={"x": X, "y": Y}),
        "AbstractEstimator.plan": Call(function=TINY.plan, usual={"x": X, "y": Y}, others=SAID),
        "AbstractEstimator.evaluate": Call(
            function=fitted.evaluate,
            usual={"x": X, "y": Y, "test": (X, Y), "allow_few_samples": True},
            others=tuple(scores.ScoringOptions.__annotations__),
        ),
        "AbstractEstimator.set_params": Call(
            function=DPMixture(epsilon=9.0).set_params, others=("epsilon", "delta", *NUMBERS, "num_rounds")
        ),
        "fit": Call(function=estimators.fit, usual={"x": X, "y": Y, "epsilon": 9.0, "num_classes": 2}, others=SAID),
        "register_generator": Call(function=gossamer.register_generator, usual={"kind": OwnGenerator}),
        "register_critic": Call(function=gossamer.register_critic, usual={"kind": OwnCritic}),
        "RunLoop.progress": Call(function=lambda report: loop.progress(report), usual={"report": next(iter(loop))}),
        "AbstractEstimator.start": Call(function=TINY.start, usual={"x": X, "y": Y}, others=SAID),
        "AbstractEstimator.sample": Call(function=fitted.sample, usual=draw),
        "AbstractEstimator.predict": Call(function=fitted.predict, usual={"x": X}, others=SAID),
        "AbstractEstimator.predict_proba": Call(function=fitted.predict_proba, usual={"x": X}),
        "AbstractEstimator.save": Call(function=fitted.save, usual={"path": folder / "g.safetensors"}),
        "ReleasedGenerator": Call(function=ReleasedGenerator, usual={"trained": released.trained}),
        **{
            f"ReleasedGenerator.{name}": Call(function=getattr(released, name), usual=draw)
            for name in ("sample", "to_dataset", "to_frame", "to_wide_frame", "to_hugging_face", "picture")
        },
        "ReleasedGenerator.to_long_frame": Call(function=of_series.to_long_frame, usual=draw),
        "ReleasedGenerator.write": Call(function=released.write, usual={"path": folder / "drawn.npz", **draw}),
        "ReleasedGenerator.to_ts": Call(function=of_series.to_ts, usual={"path": folder / "drawn.ts", **draw}),
        "ReleasedGenerator.to_edf": Call(function=of_series.to_edf, usual={"path": folder / "drawn.edf", **draw}),
        "ReleasedGenerator.to_wfdb": Call(function=of_series.to_wfdb, usual={"path": folder / "drawn.wfdb", **draw}),
        "ReleasedGenerator.predict": Call(function=of_series.predict, usual={"x": OF_SERIES}, others=SAID),
        "ReleasedGenerator.predict_proba": Call(function=released.predict_proba, usual={"x": X}),
        "ReleasedGenerator.soft_labels": Call(function=labelled.soft_labels, usual=draw),
        "ReleasedGenerator.uneven_labels": Call(function=released.uneven_labels, usual=draw),
        "ReleasedGenerator.save": Call(function=released.save, usual={"path": folder / "h.safetensors"}),
        "SyntheticDataset": Call(
            function=SyntheticDataset, usual={"x": torch.zeros(2, 3), "y": None, "class_names": ()}
        ),
        "as_images": Call(function=estimators.as_images, usual={"x": X, "y": Y}),
        "as_series": Call(function=estimators.as_series, usual=SERIES),
        "convert_images": Call(
            function=gossamer.convert_images, usual={"source": pictures, "out": folder / "small", "size": 8}
        ),
        "load": Call(function=estimators.load, usual={"path": saved}),
        "load_generator": Call(function=estimators.load_generator, usual={"path": saved}),
        "write_generator_file": Call(
            function=estimators.write_generator_file, usual={"trained": released.trained, "path": folder / "i"}
        ),
        "load_records": Call(function=gossamer.load_records, usual={"source": "beats"}),
        "load_series": Call(
            function=estimators.load_series,
            usual={"source": pd.DataFrame(np.zeros((4, 6))).rename(columns=str), "low": 0.0, "high": 1.0},
        ),
        "RecordSet": Call(function=RecordSet, usual=RECORDS),
        "RecordData": Call(function=gossamer.RecordData, usual={"train": RecordSet(**RECORDS)}),
        "ImageSpec": Call(function=ImageSpec, usual={"channels": 1, "height": 8, "width": 8}),
        "SeriesSpec": Call(function=SeriesSpec, usual={"channels": 1, "length": 8, "low": (0.0,), "high": (1.0,)}),
        "UnitKey": Call(function=gossamer.UnitKey, usual={"secret": bytes(32)}),
        "Progress": Call(function=gossamer.Progress, usual={"part": "fit", "num_done": 1, "num_all": 2}),
        "PrivacyStatement": Call(function=PrivacyStatement, usual=fields),
        "PrivacyStatement.from_json": Call(
            function=PrivacyStatement.from_json, usual={"document": statement.to_json()}
        ),
        "PrivacyBudget": Call(function=PrivacyBudget, usual={"epsilon": 1.0, "delta": 0.1}),
        "Ledger": Call(function=Ledger),
        "Ledger.charge": Call(
            function=ledger.charge,
            usual={"entry": LedgerEntry(first_step=3, num_steps=3, process_index=0), "num_planned_steps": 9},
        ),
        "Ledger.lost_steps": Call(function=ledger.lost_steps, usual={"num_done": 2}),
        "Ledger.remaining_steps": Call(function=ledger.remaining_steps, usual={"num_planned_steps": 5}),
        "LedgerEntry": Call(function=LedgerEntry, usual=step),
        "Unit": Call(function=lambda value: privacy.Unit(value), usual={"value": "person"}),
        "Adjacency": Call(function=lambda value: privacy.Adjacency(value), usual={"value": "slot"}),
        "check_delta": Call(function=privacy.check_delta, usual={"delta": 1e-5, "num_slots": 10}),
        "default_delta": Call(function=privacy.default_delta, usual={"num_slots": 10}),
        "epsilon_by_pld": Call(function=privacy.epsilon_by_pld, usual=priced),
        "epsilon_by_rdp": Call(function=privacy.epsilon_by_rdp, usual=priced),
        "proved_epsilon": Call(function=privacy.proved_epsilon, usual=priced),
        "fixed_pair_epsilon": Call(function=privacy.fixed_pair_epsilon, usual=priced),
        "find_adjacency": Call(function=privacy.find_adjacency, usual={"event": EVENT}),
        "under_replacement": Call(function=privacy.under_replacement, usual={"event": EVENT}),
        "mu_of": Call(function=privacy.mu_of, usual=priced),
        "rho_of": Call(function=privacy.rho_of, usual={"event": EVENT}),
        "compose_events": Call(function=lambda event: privacy.compose_events(event, EVENT), usual={"event": EVENT}),
        "gaussian_event": Call(function=gaussian_event, usual={"noise_multiplier": 2.0, "num_releases": 1}),
        "poisson_event": Call(function=privacy.poisson_event, usual=sampled),
        "replaced_poisson_event": Call(function=privacy.replaced_poisson_event, usual=sampled),
        "sum_of_many_event": Call(
            function=privacy.sum_of_many_event, usual={**critics, "critics_per_draw": 2, "draws_per_step": 4}
        ),
        "one_of_many_event": Call(function=privacy.one_of_many_event, usual={**critics, "draws_per_step": 4}),
        "published_gs_wgan_epsilon": Call(function=privacy.published_gs_wgan_epsilon, usual={**critics, "delta": 1e-5}),
        "calibrate_noise_multiplier": Call(function=privacy.calibrate_noise_multiplier, usual=noise),
        "calibrate_noise_multiplier_by_rdp": Call(function=privacy.calibrate_noise_multiplier_by_rdp, usual=noise),
        "calibrate_noise_multiplier_by_fixed_pair": Call(
            function=privacy.calibrate_noise_multiplier_by_fixed_pair, usual=noise
        ),
        "num_steps_for_budget": Call(function=privacy.num_steps_for_budget, usual=steps),
    }


SPOKEN_FOR = {
    "AbstractEstimator": "abstract; its constructor is that of each method",
    "GossamerError": "its argument is the message",
    "InputError": "its argument is the message",
    "PrivacyError": "its argument is the message",
    "ResourceError": "its argument is the message",
    "Calibration": "a result: plain fields, no check, no message",
    "EpsilonBound": "a result: plain fields, no check, no message",
    "PUBLISHED_CAVEAT": "a text",
    "describe_accountants": "no argument",
    "Adjacency.covers": "an adjacency of this package in, a truth value out",
    "Adjacency.describe": "a unit of this package in, a sentence out",
    "Unit.holds": "a unit of this package in, a truth value out",
    "Ledger.find_gap": "no argument",
    "UnitKey.by_roster": "digests of this package in, a key out",
    "PrivacyStatement.to_json": "no argument",
    "PrivacyStatement.to_markdown": "no argument",
    "PrivacyStatement.describe_claim": "no argument",
    "PrivacyStatement.voids": "no argument",
    "PrivacyStatement.assumptions": "no argument",
    "AbstractEstimator.get_params": "a truth value of no effect in, the arguments out",
    "EvaluationScores": "a result: plain fields, no check, no message",
    "EvaluationScores.to_json": "no argument",
    "PlannedTraining": "a result: plain fields, no check, no message",
    "RunLoop": "made by start, of a run",
    "RunLoop.stop": "no argument",
    "RunLoop.trained": "no argument",
    "GossamerWarning": "its argument is the message",
    "RecordSet.as_published": "the name of a published set in, records out: no message",
    "UnitKey.drawn": "no argument",
    "UnitKey.to_hex": "no argument",
    "UnitKey.uniform": "identities of this package in, numbers out: no message of a value",
    "UnitKey.deal": "identities of this package in, numbers out: no message of a value",
}
ALSO = {"ImageSpec", "SeriesSpec"}


def public_things() -> Iterator[str]:
    """Every public name, and every method of a public class, by the class that defines it."""
    for module in (gossamer, estimators, privacy):
        for name in module.__all__:
            thing = getattr(module, name)
            yield name
            for owner in inspect.getmro(thing) if inspect.isclass(thing) else ():
                if not owner.__module__.startswith("gossamer"):
                    continue
                for method, value in vars(owner).items():
                    is_call = callable(value) or isinstance(value, classmethod | staticmethod)
                    if is_call and not method.startswith("_") and not (issubclass(owner, Enum) and method in dir(Enum)):
                        yield f"{owner.__name__}.{method}"


def test_every_public_function_class_and_method_is_called_here(calls: dict[str, Call]) -> None:
    assert set(public_things()) | ALSO == calls.keys() | SPOKEN_FOR.keys()
    assert not calls.keys() & SPOKEN_FOR.keys()


def leaked(error: BaseException | None, log: list[logging.LogRecord], warned: list[Any]) -> list[str]:
    """The marks that stand in an error, in those behind it, in warnings and in logs."""
    said = [record.getMessage() for record in log] + [str(one.message) for one in warned]
    if error is not None:
        said.append("".join(traceback.format_exception(error)))
    while error is not None:
        said += [str(error), repr(error), repr(error.args), repr(getattr(error, "__notes__", ()))]
        error = error.__cause__ or error.__context__
    return [mark for mark in MARKS if any(mark in line for line in said)]


def _is_strict(title: str) -> bool:
    """True where private things come in: there every refusal is one line of this package, and no other error."""
    return title.partition(".")[0] not in privacy.__all__


def try_planted(
    call: Call, name: str, value: Any, caplog: pytest.LogCaptureFixture
) -> tuple[BaseException | None, Any]:
    caplog.clear()
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        try:
            call.function(**(call.usual | {name: value}))
        except Exception as error:
            return error, leaked(error, caplog.records, warned)
    return None, leaked(None, caplog.records, warned)


def test_every_call_works_with_its_usual_arguments(calls: dict[str, Call]) -> None:
    for call in calls.values():
        call.function(**call.usual)


@pytest.mark.parametrize("planted", PLANTED)
def test_nothing_that_was_handed_over_by_mistake_is_told(
    planted: str, calls: dict[str, Call], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    told, rough = [], []
    for title, call in calls.items():
        for name in call.arguments:
            error, marks = try_planted(call, name, PLANTED[planted](), caplog)
            told += [f"{title}({name}): {marks} in {type(error).__name__}"] if marks else []
            is_rough = error is not None and not isinstance(error, GossamerError) and _is_strict(title)
            rough += [f"{title}({name}): {type(error).__name__}: {error}"] if is_rough else []
    assert not told
    assert not rough


PEOPLE = pd.DataFrame({"who": [f"{WORD} {row // 2}" for row in range(6)], "t": [0, 1] * 3, "v": [NUMBER] * 6})
LONG = {"series_column": "who", "time_column": "t", "length": 2, "low": 0.0, "high": 1e9}
CELLS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "text among values": ({"v": [NUMBER, WORD] * 3}, LONG),
    "a date among values": ({"v": [pd.Timestamp("1973-01-01"), WORD] * 3}, LONG),
    "values without bounds": ({}, {"series_column": "who", "time_column": "t", "length": 2}),
    "a value that is infinite": ({"v": [NUMBER, np.inf] * 3}, LONG),
    "bytes among values": ({"v": [WORD.encode()] * 6}, LONG),
    "dictionaries among values": ({"v": [{"name": WORD}] * 6}, LONG),
    "text among times": ({"t": [WORD, NUMBER] * 3}, LONG),
    "times that go back": ({"t": [NUMBER, 0] * 3}, LONG),
    "series of another length": ({}, LONG | {"length": 3}),
    "a name that is missing": ({"who": [WORD, None] * 3}, LONG),
    "a name that is a list": ({"who": [[WORD]] * 6}, LONG),
    "a name that is too long": ({"who": [WORD * 100] * 6}, LONG),
    "a class that is none": ({"k": [WORD] * 6}, LONG | {"class_column": "k", "class_names": ["a"]}),
    "a class that is a category": ({"k": pd.Categorical([WORD] * 6)}, LONG | {"class_column": "k"}),
    "two classes of a series": ({"k": [WORD, "a"] * 3}, LONG | {"class_column": "k", "class_names": ["a"]}),
    "two people of a series": ({"p": [WORD, "a"] * 3}, LONG | {"person_column": "p"}),
    "no head line": ({WORD: [0] * 6, str(NUMBER): [1] * 6}, LONG | {"time_column": "second"}),
}


@pytest.mark.parametrize("kind", ["pandas", "pyarrow"])
@pytest.mark.parametrize("case", CELLS)
def test_no_cell_of_a_table_is_told(case: str, kind: str, caplog: pytest.LogCaptureFixture) -> None:
    change, words = CELLS[case]
    table: Any = PEOPLE.assign(**change)
    if kind == "pyarrow":
        try:
            table = pyarrow.Table.from_pandas(table)
        except (pyarrow.ArrowException, TypeError):
            return  # pyarrow has no such table, so nobody can hand it over
    error, marks = try_planted(Call(function=estimators.load_series, usual=dict(words)), "source", table, caplog)
    assert isinstance(error, InputError)
    assert not marks


def test_no_label_or_person_beside_an_array_is_told(caplog: pytest.LogCaptureFixture) -> None:
    for name, usual in (("y", {"class_names": ["a"]}), ("y", {}), ("people", {})):
        call = Call(function=estimators.as_images, usual={"x": X, **usual})
        error, marks = try_planted(call, name, np.array([WORD, None] * 6), caplog)
        assert isinstance(error, InputError)
        assert not marks


@pytest.mark.parametrize("module", ["gossamer.data.catalogue", "gossamer.estimators.arrays"])
def test_a_message_that_showed_the_value_would_be_found(
    module: str, calls: dict[str, Call], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.import_module(module), "told", repr)
    call = calls["load_records" if module.endswith("catalogue") else "as_images"]
    assert try_planted(call, call.arguments[0], PLANTED["dictionary"](), caplog)[1]


def test_an_error_behind_the_error_would_be_found(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(GossamerError, "__context__")
    change, words = CELLS["text among values"]
    call = Call(function=estimators.load_series, usual=dict(words))
    assert try_planted(call, "source", PEOPLE.assign(**change), caplog)[1]
