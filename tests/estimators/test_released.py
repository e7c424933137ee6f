"""What may be shared: it saves, loads, draws in its own units, and shows itself."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from gossamer.data.series import SeriesSpec
from gossamer.driving import generator_file
from gossamer.errors import InputError
from gossamer.estimators import GSWGAN, DPMixture, ReleasedGenerator, as_series, load, load_generator


def test_what_was_saved_is_loaded_with_its_statement_and_by_the_command_line(fitted: GSWGAN, tmp_path: Path) -> None:
    file = fitted.save(tmp_path / "generator.safetensors")
    again = load(file)
    assert isinstance(again, ReleasedGenerator)
    assert again.statement == fitted.statement
    assert np.array_equal(again.sample(4)[0], fitted.sample(4)[0])
    assert torch.equal(load_generator(file).sample(4)[0], torch.from_numpy(again.sample(4)[0]))


def test_a_run_folder_is_loaded_through_its_release(fitted: GSWGAN, tmp_path: Path) -> None:
    (tmp_path / "release").mkdir()
    fitted.save(tmp_path / "release" / "generator.safetensors")
    assert load(tmp_path).statement == fitted.statement


def test_a_file_that_is_no_generator_is_refused_in_one_line(fitted: GSWGAN, tmp_path: Path) -> None:
    whole = fitted.save(tmp_path / "whole.safetensors").read_bytes()
    for name, content in (("cut", whole[: len(whole) // 2]), ("other", b"nothing of the kind"), ("empty", b"")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(InputError, match=name) as caught:
            load(tmp_path / name)
        assert str(caught.value).isprintable()
    with pytest.raises(InputError, match="no released generator"):
        load(tmp_path / "absent")


def test_series_are_drawn_in_their_own_units_and_stay_so_when_saved(of_series: DPMixture, tmp_path: Path) -> None:
    x, y = of_series.sample(300)
    assert (x.shape, x.dtype) == ((300, 2, 12), np.float32)
    assert y is not None
    spec = of_series.released.spec
    assert isinstance(spec, SeriesSpec)
    inside = of_series.released.trained.sample(300)[0].numpy()
    low, high = np.array(spec.low)[:, None], np.array(spec.high)[:, None]
    assert np.allclose(x, low + inside * (high - low), rtol=1e-5, atol=1e-5)
    assert x[:, 1].max() > 100, "no one would look so in [0, 1]"
    again = load(of_series.save(tmp_path / "series.safetensors"))
    assert again.spec == spec
    assert np.array_equal(again.sample(300)[0], x)


@pytest.mark.parametrize("given", [{"num_samples": 2.5}, {"num_samples": "3"}, {"num_samples": True}, {"seed": "x"}])
def test_numbers_that_are_none_are_refused_in_one_line(given: dict, fitted: GSWGAN) -> None:
    with pytest.raises(InputError, match="must be a whole number"):
        fitted.sample(**{"num_samples": 3} | given)


def test_labels_can_follow_the_released_shares(of_series: DPMixture, fitted: GSWGAN) -> None:
    labels = of_series.released.uneven_labels(50, evenness=1.0, seed=2)
    assert sorted(np.bincount(labels).tolist()) == [16, 17, 17]
    _, y = of_series.sample(50, labels)
    assert np.array_equal(labels, y)
    with pytest.raises(InputError, match="without shares"):
        fitted.released.uneven_labels(50)


def test_pictures_are_drawn_of_images_and_of_series(fitted: GSWGAN, of_series: DPMixture) -> None:
    drawn = fitted.released.picture(30)
    assert drawn.height == 3 * 68 + 4
    assert drawn.width > 10 * 68 + 4, "the names of the classes stand beside the rows"
    assert fitted.released.picture(30, seed=1).tobytes() != drawn.tobytes()
    wide = of_series.released.picture(12)
    assert wide.width > 1000
    assert wide.convert("L").getextrema()[0] < 200, "not an empty page"


def test_it_shows_what_it_draws_and_claims_and_no_weights(fitted: GSWGAN, of_series: DPMixture) -> None:
    for released, said in (
        (fitted.released, "images (1, 8, 8) in 3 classes, ("),
        (of_series.released, "series (2, 12) in 3 classes, ("),
    ):
        assert said in repr(released)
        assert "-differentially private for one record" in repr(released)
        assert "tensor" not in repr(released)
        assert released.verdict is not None
        assert repr(released).endswith(f"one record, verdict: {released.verdict.grade.value}")


def test_a_generator_of_noise_that_was_no_secret_shows_no_claim(fitted: GSWGAN) -> None:
    trained = fitted.released.trained
    open_noise = replace(trained, statement=replace(trained.statement, is_secure=False))
    assert "not private" in repr(ReleasedGenerator(trained=open_noise))
    assert "differentially private" not in repr(ReleasedGenerator(trained=open_noise))


def test_a_release_of_series_longer_than_it_has_weights_is_read_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mixture keeps low frequencies alone. It was refused as damaged after the training had spent its budget."""
    rng = np.random.default_rng(0)
    waves = rng.normal(size=(60, 1)) * np.sin(np.arange(1500) / 100) + rng.normal(0, 0.1, size=(60, 1500))
    model = DPMixture(epsilon=10.0).fit(as_series(waves, low=-4, high=4))
    assert sum(weight.numel() for weight in model.released.trained.weights.values()) < 1500
    again = load(model.save(tmp_path / "long.safetensors"))
    assert np.array_equal(again.sample(3)[0], model.sample(3)[0])
    monkeypatch.setattr(generator_file, "_LARGEST_RECORD", 0)  # planted: no record is larger than the weights
    with pytest.raises(InputError, match="asks for more than its weights allow"):
        load(tmp_path / "long.safetensors")
