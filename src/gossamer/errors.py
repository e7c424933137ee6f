"""The errors a user can meet, each with the exit code of the command line."""

from __future__ import annotations


class GossamerError(Exception):
    """An error whose message is one line for a person: what, where, which rule, the way out."""

    exit_code = 1


class InputError(GossamerError, ValueError):
    """Something handed in by the user is wrong: data, a path, a parameter. Exit code 2."""

    exit_code = 2


class PrivacyError(GossamerError):
    """What was asked for has no honest privacy guarantee, so it is refused. Exit code 3."""

    exit_code = 3


class ResourceError(GossamerError):
    """The machine cannot do it: disk, memory, permission, a lock held by another process. Exit code 4."""

    exit_code = 4
