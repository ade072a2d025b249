"""After release: what has changed in the messages and the answers, what to re-read, and when to refresh."""

from .alarms import DriftAlarm, DriftWatch, WeekCheck
from .audits import AuditSample, audit_sample
from .betting import Bets
from .chance import chi_square_quantile
from .refresh import RefreshDecision, accuracy_lost, refresh_decision
from .sequential import AuditState, SequentialAudit
from .stability import Stability, population_stability
from .words import NewWordsAlarm

__all__ = [
    "AuditSample",
    "AuditState",
    "Bets",
    "DriftAlarm",
    "DriftWatch",
    "NewWordsAlarm",
    "RefreshDecision",
    "SequentialAudit",
    "Stability",
    "WeekCheck",
    "accuracy_lost",
    "audit_sample",
    "chi_square_quantile",
    "population_stability",
    "refresh_decision",
]
