"""What the tests of the readers share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from gossamer.data.identities import digests_of_names
from gossamer.data.records import RecordSet
from gossamer.errors import InputError


@pytest.fixture
def refusal() -> Callable[..., str]:
    """Call a function that must refuse with an InputError of one line; return that line."""

    def call(function: Callable[..., Any], *args: Any, **kwargs: Any) -> str:
        with pytest.raises(InputError) as caught:
            function(*args, **kwargs)
        message = str(caught.value)
        assert message
        assert message.isprintable(), "a message is one line without control characters"
        return message

    return call


@pytest.fixture
def read_or_refused() -> Callable[..., Any]:
    """Call a reader on damaged input; return what it read, or None after an InputError of one line."""

    def call(function: Callable[..., Any], *args: Any) -> Any:
        message, result = "", None
        try:
            result = function(*args)
        except InputError as error:
            message = str(error)
        assert message.isprintable(), "a message is one line without control characters"
        return result

    return call


@pytest.fixture
def are_of() -> Callable[..., bool]:
    """Whether each record is of the person of that name, by number and by digest."""

    def are(records: RecordSet, names: list[str]) -> bool:
        assert records.people is not None
        assert records.person_digests is not None
        numbers = records.people.tolist()
        assert len(set(zip(numbers, names, strict=True))) == len(set(numbers)) == len(set(names)) == records.num_people
        return np.array_equal(records.person_digests[records.people.numpy()], digests_of_names(names))

    return are
