"""Human or machine: who was behind a click or an open. A pure function over a send's hits; `rules.py` is the table."""

from waypost.events.verdict.batch import classify_batch
from waypost.events.verdict.crowd import recipients_at_once
from waypost.events.verdict.evidence import Evidence, SendFacts, Verdict, VerdictClass, evidence_of
from waypost.events.verdict.first import first_verdicts
from waypost.events.verdict.judge import SETTLED_AFTER, classify, classify_one, settled_at
from waypost.events.verdict.reason import Reason
from waypost.events.verdict.rules import RULES, RULES_VERSION

__all__ = [
    "RULES",
    "RULES_VERSION",
    "SETTLED_AFTER",
    "Evidence",
    "Reason",
    "SendFacts",
    "Verdict",
    "VerdictClass",
    "classify",
    "classify_batch",
    "classify_one",
    "evidence_of",
    "first_verdicts",
    "recipients_at_once",
    "settled_at",
]
