"""Runs commands as if nothing but the bare install were there: `python bare.py JSON`, a list of lists of words.

A line of JSON for each command: its exit code and what it said. With the name of a file in place of JSON, prints the
modules of extras that importing all of Gossamer asked for.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import pkgutil
import sys
from importlib.machinery import ModuleSpec, PathFinder
from importlib.metadata import DistributionFinder

import gossamer
from gossamer.extras import MODULES

MISSING = frozenset(name for names in MODULES.values() for name in names)
UNKNOWN = MISSING | {"scikit-learn", "torch-fidelity", "xgboost-cpu"}
_ANY = DistributionFinder.Context()


class BarePaths(PathFinder):
    """Finds every module but those of extras, for which it says what is said of a module that is not installed."""

    @classmethod
    def find_spec(cls, fullname, path=None, target=None) -> ModuleSpec | None:  # type: ignore[no-untyped-def]
        return None if fullname.partition(".")[0] in MISSING else super().find_spec(fullname, path, target)

    @classmethod
    def find_distributions(cls, context=_ANY):  # type: ignore[no-untyped-def]
        return () if context.name in UNKNOWN else super().find_distributions(context)


def main(words: str) -> None:
    assert not MISSING & sys.modules.keys()
    sys.meta_path[sys.meta_path.index(PathFinder)] = BarePaths
    if words == "imports":
        print(json.dumps(import_all()))
        return
    from gossamer.cli.main import main as gossamer_main

    for command in json.loads(words):
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = gossamer_main(command)
        print(json.dumps({"code": code, "out": out.getvalue(), "err": err.getvalue()}))


def import_all() -> dict[str, str]:
    """Module of Gossamer -> the missing module that it asked for while it was loaded."""
    asked = {}
    for module in pkgutil.walk_packages(gossamer.__path__, "gossamer."):
        if module.name != "gossamer.__main__":
            try:
                importlib.import_module(module.name)
            except ModuleNotFoundError as error:
                asked[module.name] = str(error.name)
    return asked


if __name__ == "__main__":
    main(sys.argv[1])
