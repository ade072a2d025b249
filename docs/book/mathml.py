"""Formulas as MathML, which browsers draw and screen readers read without a script."""

from __future__ import annotations

import html
import re

from docutils import nodes
from docutils.utils.math import MathError
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.writers.html5 import HTML5Translator

LOGGER = logging.getLogger(__name__)
# What docutils spells otherwise, or leaves to the browser, which stretches brackets by itself.
SPELLINGS = {r"\\texttt": r"\\mathtt", r"\\operatorname\*": r"\\operatorname", r"\\[bB]igg?(?![A-Za-z])": ""}


def converted(tex: str, node: nodes.Node, as_block: bool) -> str:
    """A formula as MathML; one that can't be read is a warning, and stands there as it was written."""
    for theirs, ours in SPELLINGS.items():
        tex = re.sub(theirs, ours, tex)
    try:
        # Where a reader has no font for mathematics, an accent would be drawn into its letter, and be lost.
        return tex2mathml(tex, as_block=as_block).replace('<mover accent="true">', "<mover>")
    except MathError as error:
        LOGGER.warning("This formula can't be turned into MathML: %s: %s", tex, error, location=node)
        return f"<code>{html.escape(tex)}</code>"


def visit_math(translator: HTML5Translator, node: nodes.math) -> None:
    translator.body.append(converted(node.astext(), node, as_block=False))
    raise nodes.SkipNode


def visit_displayed_math(translator: HTML5Translator, node: nodes.math_block) -> None:
    formula = converted(node.astext(), node, as_block=True)
    # A formula that is wider than a phone is scrolled on its own: by keyboard too.
    translator.body.append(
        f'<div class="formula" tabindex="0" role="group" aria-label="Formula">{formula}</div>'
    )
    raise nodes.SkipNode


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_html_math_renderer("mathml", (visit_math, None), (visit_displayed_math, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
