"""Units of channels: what a specification takes, and how values go from one to another."""

from __future__ import annotations

import pytest

from gossamer.data.beats import KaggleLayout, WindowLayout
from gossamer.data.series import SeriesSpec
from gossamer.data.series_choice import SeriesChoice
from gossamer.data.series_facts import SeriesFacts
from gossamer.data.units import factor_between, plain_unit
from gossamer.errors import InputError
from gossamer.runs.config_io import from_json_tree, to_json_tree

TWO = SeriesSpec(channels=2, length=4, low=(0.0, 0.0), high=(1.0, 1.0))


def test_one_unit_stands_for_all_channels_or_each_has_its_own() -> None:
    for units, found in ((("mV",), ("mV", "mV")), (("mV", "degC"), ("mV", "degC")), ((), ())):
        facts = SeriesChoice(units=units).reading("x.csv").facts
        assert facts == SeriesFacts(units=units)
        assert facts.spec(2, 4, ()).units == found
    assert TWO.shown_units == ("", "")


@pytest.mark.parametrize("units", [("mV", "mV", "mV"), ("m\nV", "mV"), ("m" * 33, "mV"), (" mV", "mV"), (3, "mV")])
def test_a_unit_that_no_header_could_hold_is_refused(units: tuple[str, ...]) -> None:
    with pytest.raises(InputError, match="units"):
        SeriesSpec(channels=2, length=4, low=(0.0, 0.0), high=(1.0, 1.0), units=units)


@pytest.mark.parametrize("peak", [-1, 4, "2"])
def test_a_peak_lies_within_the_series(peak: int) -> None:
    with pytest.raises(InputError, match="peak"):
        SeriesSpec(channels=1, length=4, low=(0.0,), high=(1.0,), peak=peak)


def test_a_specification_of_an_earlier_version_has_neither_units_nor_peak_and_is_read() -> None:
    tree = to_json_tree(TWO)
    assert (tree.pop("units"), tree.pop("peak")) == ([], None)
    old = from_json_tree(SeriesSpec, tree, "file")
    assert (old.units, old.peak) == ((), None)
    full = SeriesSpec(channels=2, length=4, low=(0.0, 0.0), high=(1.0, 1.0), units=("mV", ""), peak=3)
    again = from_json_tree(SeriesSpec, to_json_tree(full), "file")
    assert (again.units, again.peak) == (("mV", ""), 3)
    assert again == old  # as a run that went on from an earlier version needs


@pytest.mark.parametrize(
    ("found", "wanted", "factor"),
    [
        ("mV", "uV", 1000.0), ("µV", "mV", 0.001), ("V", "mV", 1000.0), ("uV", "UV", 1.0), ("nV", "uV", 0.001),
        ("", "mV", 1.0), ("degC", "°C", 1.0), ("mV", "degC", None), ("mmHg", "kPa", None),
    ],
)  # fmt: skip
def test_volts_are_converted_and_others_are_the_same_or_have_no_way(
    found: str, wanted: str, factor: float | None
) -> None:
    assert factor_between(found, wanted) == factor


def test_a_unit_is_written_in_plain_letters() -> None:
    assert [plain_unit(unit) for unit in ("μV", "µV", "kΩ", "m·s⁻²", "mmHg", "%")] == [
        "uV", "uV", "kOhm", "m*s^-2", "mmHg", "%",
    ]  # fmt: skip


def test_a_window_keeps_the_unit_of_its_signal_and_a_beat_scaled_by_itself_has_none() -> None:
    assert WindowLayout().spec(("ECG", "II"), ("N",)).units == ("mV", "mV")
    assert WindowLayout().spec(("ABP",), ("N",), ("mmHg",)).units == ("mmHg",)
    assert KaggleLayout().spec(("ABP",), ("N",), ("mmHg",)).units == ()
