"""The rules that a saved lesson is held to, in one list."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import lesson_rules_parts as parts
import lesson_rules_saved as saved
from lesson_cells import Notebook

RULES: tuple[Callable[[Notebook, str], Iterator[str]], ...] = (
    saved.is_valid,
    saved.has_small_metadata,
    saved.has_named_cells,
    saved.has_short_cells,
    saved.ran_from_top_to_bottom,
    saved.has_its_outputs,
    saved.is_free_of_noise,
    saved.is_about_no_machine,
    saved.has_small_figures_with_alt_text,
    parts.has_a_header,
    parts.installs_in_colab,
    parts.asks_before_it_shows,
    parts.builds_by_hand,
    parts.has_a_control,
    parts.has_exercises_that_are_solved,
    parts.has_a_quiz_and_claims,
    parts.states_no_number_of_its_own,
)


def problems(notebook: Notebook, name: str) -> list[str]:
    """Everything that is wrong with a lesson; an empty list is a pass.

    Args:
        notebook: As saved.
        name: The file's name without its suffix.
    """
    return [sentence for rule in RULES for sentence in rule(notebook, name)]
