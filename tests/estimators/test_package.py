"""The package's own door: light, short and complete."""

from __future__ import annotations

import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import gossamer


def test_import_is_light() -> None:
    code = "import gossamer, sys; assert not {'torch', 'numpy', 'scipy', 'rich'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_every_public_name_exists_says_what_it_is_and_dir_shows_no_other() -> None:
    assert dir(gossamer) == sorted(gossamer.__all__)
    for name in gossamer.__all__:
        assert (inspect.getdoc(getattr(gossamer, name)) or "").strip(), name
    with pytest.raises(AttributeError, match="no name 'critics'"):
        _ = gossamer.critics


def test_the_names_for_type_checkers_are_those_that_are_there() -> None:
    source = Path(gossamer.__file__).read_text(encoding="utf-8")
    block = source.partition("if TYPE_CHECKING:")[2].partition("\n__all__")[0]
    errors = {"GossamerError", "GossamerWarning", "InputError", "PrivacyError", "ResourceError"}
    assert all(name in block for name in set(gossamer.__all__) - errors)
    assert (Path(gossamer.__file__).parent / "py.typed").is_file()


def test_it_knows_its_version() -> None:
    assert gossamer.__version__[0].isdigit()
