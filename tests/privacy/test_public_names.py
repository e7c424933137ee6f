"""The public names of the package, each imported when it is first used."""

from __future__ import annotations

import subprocess
import sys

import pytest

from gossamer import privacy


def test_every_public_name_is_there_and_no_other() -> None:
    assert dir(privacy) == sorted(privacy.__all__)
    assert all(getattr(privacy, name) is not None for name in privacy.__all__)
    with pytest.raises(AttributeError, match="no attribute 'price'"):
        _ = privacy.price


def test_readers_of_data_do_not_wait_for_the_accountants() -> None:
    # They take 70 MiB, as much as 100,000 heartbeats, and more time than reading those.
    command = "import sys, gossamer.data.catalogue; print({'dp_accounting', 'scipy'} & set(sys.modules))"
    found = subprocess.run([sys.executable, "-c", command], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "set()"
