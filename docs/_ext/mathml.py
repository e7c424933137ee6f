"""Formulas as MathML, which browsers draw by themselves: no script, no fonts, no network."""

from __future__ import annotations

from html import escape
from typing import Any

from docutils import nodes
from latex2mathml.converter import convert
from sphinx.application import Sphinx
from sphinx.util import logging

LONG = 900  # characters of MathML
LOGGER = logging.getLogger(__name__)


def to_mathml(node: nodes.math | nodes.math_block, display: str) -> str:
    """Render a node's formula, its TeX kept as the text that a reader can copy; an unknown formula is a warning."""
    tex = node.astext().strip()
    # Sizes say nothing to MathML, whose fences grow by themselves; the converter takes each for a word.
    plain = tex
    for size in ("\\bigl", "\\bigr", "\\Bigl", "\\Bigr", "\\big", "\\Big"):
        plain = plain.replace(size, "")
    try:
        drawn = convert(plain, display=display)
    except Exception as error:
        LOGGER.warning("formula %r: %s", tex, error, location=node)
        return f"<code>{escape(tex)}</code>"
    drawn = drawn.replace("<mi>&#x02032;</mi>", "<mo>&#x02032;</mo>")
    return drawn.replace("<math ", f'<math alttext="{escape(tex, quote=True)}" ', 1)


def visit_inline(self: Any, node: nodes.math) -> None:
    """Write a formula into its line; one that is longer than a narrow screen may be scrolled."""
    drawn = to_mathml(node, "inline")
    self.body.append(f'<span class="formula-long" tabindex="0">{drawn}</span>' if len(drawn) > LONG else drawn)
    raise nodes.SkipNode


def visit_block(self: Any, node: nodes.math_block) -> None:
    """Write a formula that stands alone; where it is wider than the page, it alone is scrolled."""
    self.body.append(f'<div class="formula" tabindex="0">{to_mathml(node, "block")}</div>\n')
    raise nodes.SkipNode


def setup(app: Sphinx) -> dict[str, bool]:
    """Name the renderer, so that `html_math_renderer` can ask for it."""
    app.add_html_math_renderer("mathml", (visit_inline, None), (visit_block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
