"""Series of the UCR and UEA archives: right values of each format, and refusals that quote no cell."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gossamer.data.catalogue import describe, load_records
from gossamer.data.layouts import WideColumns
from gossamer.data.reading import SeriesReading
from gossamer.data.records import RecordData
from gossamer.data.series_facts import SeriesFacts
from gossamer.data.splits import RandomSplit
from gossamer.data.ts_file import read_ts
from gossamer.data.windows import Windows
from gossamer.errors import InputError
from gossamer.estimators import load_series
from gossamer.privacy.adjacency import Unit
from gossamer.privacy.dealing import UnitKey

BOUNDS = SeriesFacts(low=(-10.0,), high=(10.0,))
HEAD = "@problemName mine\n@timeStamps false\n@missing false\n@univariate {uni}\n@equalLength {equal}\n{more}@data\n"
UNIVARIATE = HEAD.format(uni="true", equal="true", more="@seriesLength 3\n@classLabel true Walk run\n")
TIMED = UNIVARIATE.replace("@timeStamps false", "@timeStamps true")
SECRET = "7731.25x"


def written(folder: Path, text: str, name: str = "mine.ts") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def load(path: Path, facts: SeriesFacts = BOUNDS, **others: Any) -> RecordData:
    return load_records(str(path), reading=SeriesReading(facts=facts, **others))


def own_values(data: RecordData) -> list[Any]:
    """Values in the units of the file, between the bounds -10 and 10."""
    return (data.train.x.double() * 20 - 10).round(decimals=5).tolist()


# ---- .ts ------------------------------------------------------------------------------------------------------------


def test_a_ts_file_is_read_with_the_classes_of_its_header(tmp_path: Path) -> None:
    path = written(tmp_path, "# words\n" + UNIVARIATE + "1.5,-2,3e-1:run\n# more words\n-0.5,0,1: Walk \n")
    data = load(path)
    assert own_values(data) == [[[1.5, -2, 0.3]], [[-0.5, 0, 1]]]
    assert data.train.spec.class_names == ("Walk", "run"), "capitals count"
    assert data.train.y is not None
    assert data.train.y.tolist() == [1, 0]
    assert any("those that the header of the file lists" in note for note in data.public_notes)
    assert not any("given by the user." in note and "classes" in note for note in data.public_notes)
    assert load_series(path, low=-10, high=10).train.x.tolist() == data.train.x.tolist()
    assert describe(data)["classes"] == {"Walk": 1, "run": 1}


def test_a_name_of_a_class_is_no_missing_value(tmp_path: Path) -> None:
    """Other readers make `baNaNa` of the one and `whatNaN` of the other."""
    data = load(written(tmp_path, UNIVARIATE.replace("Walk run", "banana what?") + "1,2,3:what?\n1,2,3:banana\n"))
    assert data.train.spec.class_names == ("banana", "what?")
    assert data.train.y is not None
    assert data.train.y.tolist() == [1, 0]


def test_several_channels_have_colons_between_them(tmp_path: Path) -> None:
    head = HEAD.format(uni="false", equal="true", more="@dimensions 2\n@seriesLength 2\n@classLabel false\n")
    data = load(written(tmp_path, head + "1,2:3,4\n5,6:7,8\n"))
    assert own_values(data) == [[[1, 2], [3, 4]], [[5, 6], [7, 8]]]
    assert data.train.y is None


def test_times_are_checked_and_values_keep_their_sign(tmp_path: Path) -> None:
    head = UNIVARIATE.replace("@timeStamps false", "@timeStamps true")
    dates = "(2026-03-29 01:30:00,-1.5),(2026-03-29 02:30:00,2),(2026-03-29 03:30:00,-3e-1):run\n"
    assert own_values(load(written(tmp_path, head + dates + "(0.5,1),(1.5,-2),(2.5,3):Walk\n"))) == [
        [[-1.5, 2, -0.3]],
        [[1, -2, 3]],
    ]
    with pytest.raises(InputError, match="goes back in time"):
        load(written(tmp_path, head + "(0,1),(2,1),(1,1):run\n"))
    hourly = SeriesFacts(low=(-10.0,), high=(10.0,), sample_rate=1 / 3600)
    assert load(written(tmp_path, head + dates), hourly).train.x.shape == (1, 1, 3)
    with pytest.raises(InputError, match="do not follow each other"):
        load(written(tmp_path, head + dates), SeriesFacts(low=(-10.0,), high=(10.0,), sample_rate=1.0))


def test_channels_at_several_times_are_refused(tmp_path: Path) -> None:
    head = HEAD.replace("@timeStamps false", "@timeStamps true").format(
        uni="false", equal="true", more="@classLabel false\n"
    )
    with pytest.raises(InputError, match="channels at several times"):
        load(written(tmp_path, head + "(0,1),(1,2):(0,3),(2,4)\n"))


def test_unequal_lengths_follow_the_rules_of_long_tables(tmp_path: Path) -> None:
    path = written(
        tmp_path, HEAD.format(uni="true", equal="false", more="@classLabel true a b\n") + "1,2:a\n1,2,3,4:b\n"
    )
    with pytest.raises(InputError, match="series of several lengths: give --length"):
        load(path)
    with pytest.raises(InputError, match="series 1 has not 3 samples but more"):
        load(path, SeriesFacts(low=(-10.0,), high=(10.0,), length=3, permit_shorter=True))
    with pytest.raises(InputError, match="series 0 has not 4 samples but fewer: leave it out, or pad with"):
        load(path, SeriesFacts(low=(-10.0,), high=(10.0,), length=4))
    padded = load(path, SeriesFacts(low=(-10.0,), high=(10.0,), length=4, permit_shorter=True))
    assert own_values(padded) == [[[1, 2, -10, -10]], [[1, 2, 3, 4]]]
    cut = load(path, windows=Windows(window=2))
    assert own_values(cut) == [[[1, 2]], [[1, 2]], [[3, 4]]]
    assert cut.train.y is not None
    assert cut.train.y.tolist() == [0, 1, 1]
    assert (cut.usual_unit, cut.train.num_people) == (Unit.RECORDING, 2)


def test_missing_values_are_refused_but_for_those_that_fill_the_end(tmp_path: Path) -> None:
    path = written(tmp_path, UNIVARIATE + "1,2,3:run\n1,?,3:run\n")
    with pytest.raises(InputError, match="series 1, channel 0, time 1 is NaN, infinite or missing"):
        load(path)
    path = written(tmp_path, UNIVARIATE + "1,2,3:run\n1,NaN,?:run\n")
    with pytest.raises(InputError, match="series 1 has not 3 samples but fewer"):
        load(path)
    permitted = SeriesFacts(low=(-10.0,), high=(10.0,), permit_shorter=True)
    assert own_values(load(path, permitted)) == [[[1, 2, 3]], [[1, -10, -10]]]


def test_a_target_is_left_out_and_said(tmp_path: Path) -> None:
    head = UNIVARIATE.replace("@classLabel true Walk run", "@targetLabel true")
    data = load(written(tmp_path, head + "1,2,3:0.75\n"))
    assert own_values(data) == [[[1, 2, 3]]]
    assert any("@targetLabel" in note for note in data.public_notes)


def test_series_without_classes_as_another_program_writes_them(tmp_path: Path) -> None:
    head = UNIVARIATE.replace("@classLabel true Walk run", "@targetlabel false")
    assert own_values(load(written(tmp_path, head + "1,2,3:\n"))) == [[[1, 2, 3]]]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "has no @data"),
        ("1,2,3:a\n", "line 1: the header has no @data"),
        (HEAD.format(uni="true", equal="true", more="") + "1,2:a\n", "does not say if there are classes"),
        (UNIVARIATE, "no series under its header"),
        (UNIVARIATE + f"1,{SECRET},3:run\n", "line 9, channel 1, value 2 is no number"),
        (UNIVARIATE + "1,2,3\n", "line 9 has no class"),
        (UNIVARIATE + "1,2,3:4,5,6:run\n", "has 2 channels and not 1"),
        (UNIVARIATE + "1,2,3,4:run\n", "another length than @seriesLength"),
        (UNIVARIATE + f"1,2,3:{SECRET}\n", "none of the 2 public classes"),
        (UNIVARIATE + "1,2,3:0\n", "none of the 2 public classes that the header lists"),
        (UNIVARIATE.replace("true Walk", "perhaps Walk") + "1,2,3:run\n", "@classLabel must be true or false"),
        (UNIVARIATE.replace("seriesLength 3", "seriesLength many") + "1,2,3:run\n", "@seriesLength must be a whole"),
        (UNIVARIATE + "1,2,999:run\n", None),
        (UNIVARIATE + "1,2,inf:run\n", "NaN, infinite or missing"),
        (TIMED + f"(0,1),(1,{SECRET}),(2,1):run\n", "is no number"),
        (
            TIMED + f"({SECRET},1):run\n",
            "neither a number nor a date",
        ),
        (TIMED + f"{SECRET}:run\n", r"is no pair \(time,value\)"),
    ],
)
def test_a_ts_file_that_breaks_a_rule_is_refused_in_a_line(tmp_path: Path, text: str, says: str | None) -> None:
    path = written(tmp_path, text)
    if says is None:
        assert own_values(load(path))[0][0][2] == 10, "outside the public bounds is clipped"
        return
    with pytest.raises(InputError, match=says) as refused:
        load(path)
    assert SECRET[:6] not in str(refused.value)
    assert len(str(refused.value).splitlines()) == 1


# ---- .arff and .tsv -------------------------------------------------------------------------------------------------

ARFF = "% words\n@RELATION r\n@attribute att0 numeric\n@attribute att1 REAL\n@attribute kind {a,'b c'}\n@data\n"
RELATIONAL = (
    "@relation 'r'\n@attribute block relational\n@attribute att0 numeric\n@attribute att1 numeric\n@end block\n"
    "@attribute kind {a,b}\n@data\n"
)


def test_an_arff_file_of_one_channel(tmp_path: Path) -> None:
    data = load(written(tmp_path, ARFF + "% words\n1,-2.5,'b c'\n3,4, a\n", "mine.arff"))
    assert own_values(data) == [[[1, -2.5]], [[3, 4]]]
    assert data.train.spec.class_names == ("a", "b c")
    assert data.train.y is not None
    assert data.train.y.tolist() == [1, 0]


def test_a_relational_arff_file(tmp_path: Path) -> None:
    data = load(written(tmp_path, RELATIONAL + "'1,2\\n3,4\\n5,6',b\n\"7,8\\n9,-1\\n-2,-3\",a\n", "mine.arff"))
    assert own_values(data) == [[[1, 2], [3, 4], [5, 6]], [[7, 8], [9, -1], [-2, -3]]]
    assert data.train.y is not None
    assert data.train.y.tolist() == [1, 0]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (ARFF + f"1,{SECRET},a\n", "value 2 is no number"),
        (ARFF + "1,2\n", "has not one class"),
        (ARFF + "1,2,3,a\n", "none of the 2 public classes"),
        (ARFF + "{0 1, 1 2}\n", "written sparsely"),
        (ARFF.replace("@attribute kind {a,'b c'}", "@attribute target numeric") + "1,2,3\n", "by its name a target"),
        (ARFF.replace("'b c'", "b c"), "with a quote too few"),
        (ARFF.replace("REAL", "date"), "neither numeric nor a class"),
        (ARFF.replace("@data\n", "@attribute att3 numeric\n@data\n"), "stands behind the class"),
        (RELATIONAL + "1,2,a\n", "is no series in quotes"),
        (RELATIONAL + "'1,2\\n3',a\n", "channels of several lengths"),
        (RELATIONAL + "'1,2',a\n'1,2\\n3,4',a\n", "correct the line"),
    ],
)
def test_an_arff_file_that_breaks_a_rule_is_refused_in_a_line(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(InputError, match=says) as refused:
        load(written(tmp_path, text, "mine.arff"))
    assert SECRET[:6] not in str(refused.value)


def test_a_tsv_file_begins_each_row_with_the_class(tmp_path: Path) -> None:
    path = written(tmp_path, "-1\t0.5\t2\n1\t-3\t4\n", "mine.tsv")
    named = SeriesFacts(low=(-10.0,), high=(10.0,), class_names=("-1", "1"))
    data = load(path, named)
    assert own_values(data) == [[[0.5, 2]], [[-3, 4]]]
    assert data.train.y is not None
    assert data.train.y.tolist() == [0, 1]
    with pytest.raises(InputError, match="does not list its classes: give their names"):
        load(path)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("class\tt0\tt1\n1\t2\t3\n", "is a head line"),
        ("1\t2\t3\n1\t2\n", "fill up with NaN"),
        ("1,2,3\n", "has one cell"),
        (f"1\t2\n1\t{SECRET}\n", "line 2, value 1 is no number"),
        ("", "no series"),
    ],
)
def test_a_tsv_file_that_breaks_a_rule_is_refused_in_a_line(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(InputError, match=says) as refused:
        load(written(tmp_path, text, "mine.tsv"), SeriesFacts(low=(-10.0,), high=(10.0,), num_classes=2))
    assert SECRET[:6] not in str(refused.value)


# ---- the pair, and options ------------------------------------------------------------------------------------------


def test_the_test_set_beside_is_the_test_set(tmp_path: Path) -> None:
    train = written(tmp_path, UNIVARIATE + "1,2,3:run\n", "mine_TRAIN.ts")
    written(tmp_path, UNIVARIATE.replace("Walk run", "run Walk") + "4,5,6:run\n7,8,9:Walk\n", "mine_TEST.ts")
    data = load(train)
    assert data.test is not None
    assert (data.train.num_records, data.test.num_records) == (1, 2)
    assert data.test.y is not None
    assert data.test.y.tolist() == [1, 0], "classes have the order of the training set's header"
    assert any("file beside the one" in note for note in data.public_notes)
    assert load(tmp_path / "mine_TEST.ts").test is None
    cut = load(train, windows=Windows(window=2))
    assert cut.test is not None
    assert cut.test.people is None, "nobody says which recordings of the test set are new"


def test_a_split_wins_over_the_test_set_beside_and_says_so(tmp_path: Path) -> None:
    train = written(tmp_path, UNIVARIATE + "".join(f"{row / 10},2,3:run\n" for row in range(30)), "mine_TRAIN.ts")
    written(tmp_path, UNIVARIATE + "4,5,6:run\n", "mine_TEST.ts")
    data = load(train, split=RandomSplit(), key=UnitKey(bytes(32)))
    assert data.test is not None
    assert data.train.num_records + data.test.num_records == 30
    assert any("was not read: a split was asked for" in note for note in data.public_notes)


def test_options_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    path = written(tmp_path, UNIVARIATE + "1,2,3:run\n")
    with pytest.raises(InputError, match="names no columns"):
        load(path, columns=WideColumns(person="who"))
    with pytest.raises(InputError, match="num_classes"):
        load_records(str(path), num_classes=5, reading=SeriesReading(facts=BOUNDS))
    with pytest.raises(InputError, match="give public bounds"):
        load(path, SeriesFacts())


# ---- files that mean harm -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (TIMED + ":" * 200_000 + "\n", "mine.ts"),
        (TIMED + "(" + " " * 200_000 + "\n", "mine.ts"),
        (TIMED + ") " * 100_000 + "\n", "mine.ts"),
        (UNIVARIATE + "1" * 1_000_000 + "e\n", "mine.ts"),
        (UNIVARIATE.replace("seriesLength 3", "seriesLength 999999999") + "1,2,3:run\n", "mine.ts"),
        (ARFF.replace("'b c'", "'" + "\\'" * 100_000), "mine.arff"),
        (ARFF + "'" + "\\'" * 100_000 + "\n", "mine.arff"),
        (RELATIONAL + "'" + "\\'" * 100_000 + "\n", "mine.arff"),
        ("\t" * 200_000 + "\n", "mine.tsv"),
        ("1\t2\n" + "\0" * 1000, "mine.tsv"),
    ],
)
def test_a_line_that_could_be_tried_in_many_ways_is_refused_at_once(tmp_path: Path, text: str, name: str) -> None:
    began = time.perf_counter()
    with pytest.raises(InputError) as refused:
        load(written(tmp_path, text, name), SeriesFacts(low=(-10.0,), high=(10.0,)))
    assert time.perf_counter() - began < 5
    assert len(str(refused.value)) < 1000


# ---- beside another reader ------------------------------------------------------------------------------------------


def test_values_and_classes_are_those_that_aeon_reads() -> None:
    datasets = pytest.importorskip("aeon.datasets")
    folder = Path(datasets.__file__).parent / "data"
    for path in sorted(folder.glob("*/*_TRAIN.ts")):
        if "TimeStamps" in path.name:
            continue
        values, words = datasets.load_from_ts_file(str(path))
        own = read_ts(path)
        assert all(np.array_equal(one, two) for one, two in zip(own.values, values, strict=True)), path.name
        # aeon makes small letters of all classes.
        assert own.words is None or [word.lower() for word in own.words] == words.tolist(), path.name
