"""What the tests of the readers share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

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
