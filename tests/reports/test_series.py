"""Pictures of series: what is drawn is what was given, of any number of channels and classes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gossamer.errors import InputError
from gossamer.reports.curves import save_figure
from gossamer.reports.series import (
    NUM_OVERLAID,
    SeriesView,
    confusions,
    embedding,
    overlaid,
    pairs_of_series,
    spectra,
)


def waves(number: int, channels: int = 1, labelled: bool = True, name: str = "waves", cycles: int = 4) -> SeriesView:
    rng = np.random.default_rng(number)
    phase = rng.random((number, channels, 1))
    x = 0.5 + 0.4 * np.sin(2 * np.pi * (cycles * np.arange(64) / 64 + phase))
    return SeriesView(name=name, x=x.astype(np.float32), y=np.arange(number) % 2 if labelled else None)


@pytest.mark.parametrize("channels", [1, 3])
def test_each_class_has_its_series_and_its_mean_on_either_side(channels: int) -> None:
    made, real = waves(30, channels), waves(50, channels, name="real $x$")
    figure = overlaid(made, real, ("even", "odd"))
    assert len(figure.axes) == 2 * 4
    each, band = figure.axes[0], figure.axes[3]
    assert len(each.lines) == NUM_OVERLAID * channels
    assert each.lines[0].get_ydata() == pytest.approx(made.x[0, 0])
    assert band.lines[0].get_ydata() == pytest.approx(real.x[real.y == 0][:, 0].mean(axis=0))
    assert [axes.get_ylabel() for axes in (each, figure.axes[4])] == ["even", "odd"]


def test_without_labels_and_with_an_empty_class_there_is_still_a_picture() -> None:
    assert len(overlaid(waves(9, labelled=False), waves(9), ("a", "b")).axes) == 4
    empty = overlaid(waves(9), waves(9), ("a", "b", "c"))
    assert len(empty.axes) == 12
    assert not empty.axes[8].lines


def test_a_spectrum_peaks_at_the_frequency_in_hertz() -> None:
    figure = spectra(waves(20, cycles=8), waves(20, name="real"), sample_rate=128.0)
    real, made = figure.axes[0].lines
    for line, hertz in ((made, 16.0), (real, 8.0)):
        assert line.get_xdata()[np.argmax(line.get_ydata())] == pytest.approx(hertz)


def test_the_embedding_is_that_of_the_real_series() -> None:
    from sklearn.decomposition import PCA

    real, made = waves(40, name="real"), waves(25)
    figure = embedding(made, real, ("even", "odd"))
    plane = PCA(2).fit(real.x.reshape(40, -1).astype(np.float64))
    for axes, view in zip(figure.axes, (made, real)):
        expected = plane.transform(view.x[view.y == 1].reshape(-1, 64).astype(np.float64))
        points = np.asarray(axes.collections[1].get_offsets())
        # A direction has no sign.
        assert np.abs(points) == pytest.approx(np.abs(expected), abs=1e-5)
    assert figure.axes[0].get_ylim() == figure.axes[1].get_ylim()


def test_a_class_of_which_no_series_is_real_has_an_empty_place_in_the_embedding() -> None:
    figure = embedding(waves(40), waves(40), ("even", "odd", "never"))
    assert len(figure.axes) == 2


def test_confusions_are_shares_of_the_true_class() -> None:
    figure = confusions({"tstr": np.array([[8, 2], [0, 0]]), "trtr": np.eye(2, dtype=int)}, ("a", "b"))
    assert [text.get_text() for text in figure.axes[0].texts] == ["0.80", "0.20", "0.00", "0.00"]
    assert figure.axes[1].get_title() == "trained on real"
    with pytest.raises(InputError, match="3 by 3"):
        confusions({"tstr": np.eye(2)}, ("a", "b", "c"))


def test_the_closest_pair_comes_first() -> None:
    made, real = waves(3).x, waves(4).x[:3]
    figure = pairs_of_series(made, real, np.array([0.5, 0.25, 1.0]))
    assert figure.axes[0].get_title() == "distance 0.25"
    drawn = [line.get_ydata() for line in figure.axes[0].lines]
    assert drawn[0] == pytest.approx(real[1, 0])
    assert drawn[1] == pytest.approx(made[1, 0])
    with pytest.raises(InputError, match="pairs"):
        pairs_of_series(made, real[:2], np.zeros(3))


def test_pictures_are_saved_with_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        save_figure(overlaid(waves(9), waves(9), ("x", "y")), tmp_path / name)
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.width > 1000


def test_sets_of_unequal_shape_are_refused() -> None:
    with pytest.raises(InputError, match="give series of one shape"):
        spectra(waves(5), waves(5, 2), sample_rate=None)
