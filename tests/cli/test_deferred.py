"""A package without its first file: whoever asks it for more gets the whole of it, the same as ever."""

from __future__ import annotations

import subprocess
import sys

ASK = """
import sys
from gossamer.cli.deferred import defer

defer("dp_accounting")
from dp_accounting.dp_event import GaussianDpEvent
from dp_accounting import rdp
import dp_accounting

first = "scipy.stats" in sys.modules
module = sys.modules["dp_accounting"]
assert not hasattr(dp_accounting, "__wrapped__")
assert dp_accounting.rdp is rdp
assert dp_accounting.GaussianDpEvent is GaussianDpEvent
assert dp_accounting.get_epsilon_gaussian(1.0, 1e-5) > 0
assert not hasattr(dp_accounting, "no_such_name")
assert sys.modules["dp_accounting"] is module is dp_accounting
print(first, "scipy.stats" in sys.modules)

defer("no_such_package")
defer("json")
import json
json.dumps({})
"""


def test_the_rest_of_a_package_comes_when_it_is_asked_for() -> None:
    done = subprocess.run([sys.executable, "-c", ASK], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["False", "True"]
