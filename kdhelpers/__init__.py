"""Knowledge distillation helpers: small, checked, and yours to keep."""

__version__ = "0.1.0"
