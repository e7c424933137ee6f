"""Arguments: no default epsilon, nothing quoted that is no setting, and clones and searches as of scikit-learn."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from sklearn.model_selection import ParameterGrid

from gossamer.errors import InputError
from gossamer.estimators import DPCGAN, DPMERF, GSWGAN, AbstractEstimator, DPMixture, LabelledMixture
from gossamer.estimators.arguments import DEFAULTS
from gossamer.nn.latents import NormalLatent

KINDS: tuple[type[AbstractEstimator], ...] = (GSWGAN, DPCGAN, DPMERF, DPMixture, LabelledMixture)


@pytest.mark.parametrize("kind", KINDS)
def test_there_is_no_default_epsilon_and_the_line_says_what_to_do(kind: type[AbstractEstimator]) -> None:
    for ask in (lambda: kind(), lambda: kind(None), lambda: kind(seed=3)):
        with pytest.raises(InputError, match=rf"epsilon is missing.*{kind.__name__}\(epsilon=1.0\)") as caught:
            ask()
        assert str(caught.value).isprintable()
    assert kind(2.0).get_params()["epsilon"] == 2.0


@pytest.mark.parametrize("kind", KINDS)
def test_a_clone_has_equal_arguments_and_has_learnt_nothing(kind: type[AbstractEstimator]) -> None:
    model = kind(epsilon=np.float64(2.0), delta=1e-4, num_classes=3, num_records=100, seed=np.int64(4), device="cpu")
    copy = clone(model)
    assert type(copy) is kind
    assert copy is not model
    assert copy.get_params() == model.get_params()
    with pytest.raises(InputError, match="learnt nothing"):
        _ = copy.released


def test_settings_are_cloned_too_and_a_fitted_model_gives_an_unfitted_clone(images: np.ndarray) -> None:
    model = DPMERF(epsilon=2.0, num_fit_steps=3, num_features=40, latent=NormalLatent(dim=3)).fit(images)
    copy = clone(model)
    assert copy.get_params() == model.get_params()
    assert copy.get_params()["latent"] == NormalLatent(dim=3)
    assert repr(copy).endswith("has learnt nothing yet")
    # Nobody told the clone of the training of its original: a warning does (test_advice).
    assert copy.fit(images).statement.num_tuning_runs == 0


def test_a_search_sets_arguments_and_settings_and_a_wrong_one_changes_nothing(images: np.ndarray) -> None:
    model = DPMixture(epsilon=1.0)
    found = []
    for point in ParameterGrid({"epsilon": [3.0, 5.0], "mean_share": [0.1]}):
        copy = clone(model).set_params(**point)
        found.append(round(copy.plan(images).epsilon))
        assert copy.get_params() == DPMixture(**point).get_params()
    assert found == [3, 5]
    before = model.get_params()
    for wrong in ({"epsilon": None}, {"mean_shar": 1.0}, {"epsilon": 2.0, "unit": "patient"}):
        with pytest.raises(InputError):
            model.set_params(**wrong)
        assert model.get_params() == before


def test_what_was_learnt_stays_with_its_statement_when_arguments_change(images: np.ndarray) -> None:
    model = DPMixture(epsilon=1.0).fit(images)
    model.set_params(epsilon=5.0)
    assert model.statement.epsilon <= 1
    assert model.fit(images).statement.num_tuning_runs == 1


def test_it_is_shown_with_the_arguments_that_were_given() -> None:
    model = GSWGAN(2, num_classes=3, num_steps=np.int64(7), latent=NormalLatent(dim=3))
    assert repr(model) == (
        "GSWGAN(epsilon=2, num_classes=3, num_steps=7, latent=NormalLatent(dim=3)), has learnt nothing yet"
    )
    assert (
        repr(DPMixture(epsilon=0.5, unit="person")) == "DPMixture(epsilon=0.5, unit='person'), has learnt nothing yet"
    )


WORD = "xylophone"
MISTAKES: dict[str, Any] = {
    "frame": pd.DataFrame({"name": [WORD] * 3}),
    "series": pd.Series([WORD]),
    "array": np.array([WORD]),
    "dict": {"name": WORD},
    "bytes": WORD.encode(),
    "list": [WORD],
    "tensor": torch.tensor([float(ord(letter)) for letter in WORD]),
}


@pytest.mark.parametrize("thing", MISTAKES.values(), ids=MISTAKES)
@pytest.mark.parametrize("name", [*DEFAULTS, "num_steps", "generator", "clip_norm", "stages"])
def test_a_thing_that_is_no_argument_is_refused_and_never_quoted(name: str, thing: Any, images: np.ndarray) -> None:
    with pytest.raises(InputError) as caught:
        GSWGAN(**{"epsilon": 1.0, name: thing}).fit(images)
    assert WORD not in str(caught.value)
    assert str(float(ord(WORD[0]))) not in str(caught.value)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
