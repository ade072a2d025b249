"""Small language models, and a language with exact answers to try them on."""

from .arithmetic import ANSWER, ARITHMETIC, PROMPT, answer_of, draw_problems, trace_of
from .characters import Characters
from .generation import generate
from .shipped import load_language_teacher, load_taught
from .transformer import CausalTransformer

__all__ = [
    "ANSWER",
    "ARITHMETIC",
    "PROMPT",
    "CausalTransformer",
    "Characters",
    "answer_of",
    "draw_problems",
    "generate",
    "load_language_teacher",
    "load_taught",
    "trace_of",
]
