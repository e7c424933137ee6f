"""Names of methods in a page, such as dp-mixture, which no line may break: a span around each, for the style sheet."""

from __future__ import annotations

import re
from typing import Any

from gossamer.methods.catalogue import METHODS

_TAG = re.compile(r"(<[^>]*>)")
_WORDS = "|".join({word for one in METHODS for word in (one.name, one.title)})
# With what follows a hyphen: gs-wgan-started is one name, too.
_NAME = re.compile(rf"(?<![\w-])(?:{_WORDS})(?:-\w+)*(?!\w)")


def whole(body: str) -> str:
    """Return HTML with a span of class `name` around each name of a method, outside of tags.

    >>> whole('<a href="gs-wgan.html">gs-wgan</a>, not dp-mixtures')
    '<a href="gs-wgan.html"><span class="name">gs-wgan</span></a>, not dp-mixtures'
    """
    # Tags are every second part of the split.
    parts = _TAG.split(body)
    parts[::2] = [_NAME.sub(r'<span class="name">\g<0></span>', text) for text in parts[::2]]
    return "".join(parts)


def setup(app: Any) -> dict[str, Any]:
    """Take part in the writing of each page."""
    app.connect("html-page-context", _on_page)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _on_page(app: Any, page: str, template: str, context: dict[str, Any], tree: Any) -> None:
    if "body" in context:
        context["body"] = whole(context["body"])
