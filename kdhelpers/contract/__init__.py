"""What the product needs of a model, and whether it has been shown: pass, fail, or not enough data."""

from .page import write_page
from .terms import Contract
from .verdict import Clause, Verdict

__all__ = ["Clause", "Contract", "Verdict", "write_page"]
