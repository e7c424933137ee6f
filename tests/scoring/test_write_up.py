"""Where an evaluation may be written: closed to others, never into a release, never over something else."""

from __future__ import annotations

from pathlib import Path

import pytest

from gossamer.errors import InputError, PrivacyError
from gossamer.scoring.write_up import check_place


@pytest.fixture
def run(tmp_path: Path) -> Path:
    for part in ("release/checkpoints/step-000003", "private"):
        (tmp_path / "run" / part).mkdir(parents=True)
    (tmp_path / "run" / "config.json").write_text("{}")
    return tmp_path / "run"


@pytest.mark.parametrize(
    "inside", ["release", "release/new", "release/checkpoints/step-000003/a/b", "private/../release/x"]
)
def test_a_release_takes_no_evaluation(run: Path, inside: str) -> None:
    with pytest.raises(PrivacyError, match="must not leave"):
        check_place(run / inside)


def test_a_link_into_a_release_and_a_release_that_was_moved_take_none_either(run: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(run / "release")
    (run / "release" / "privacy.json").write_text("{}")
    moved = (run / "release").rename(tmp_path / "published")
    with pytest.raises(PrivacyError):
        check_place(moved / "scores")
    moved.rename(run / "release")
    with pytest.raises(PrivacyError):
        check_place(tmp_path / "link" / "scores")


def test_the_private_side_and_new_folders_take_one(run: Path, tmp_path: Path) -> None:
    for place in (run / "private" / "evaluation", tmp_path / "new" / "deep"):
        check_place(place)
        assert not place.exists()
    (tmp_path / "empty").mkdir()
    check_place(tmp_path / "empty")


def test_a_folder_of_something_else_and_a_file_take_none(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(InputError, match="something else"):
        check_place(tmp_path)
    with pytest.raises(InputError, match="is a file"):
        check_place(tmp_path / "letter.txt")
    # What an evaluation that was cut short has left is no hindrance.
    (tmp_path / "letter.txt").unlink()
    for name in ("scores.csv", ".evaluation.json.partial"):
        (tmp_path / name).touch()
    check_place(tmp_path)
