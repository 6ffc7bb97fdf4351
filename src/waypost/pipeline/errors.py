"""What can go wrong with the pipeline itself; the spool, the store and the control database have errors of their own.

PipelineError
└── CollectorRunningError    another process collects this spool
"""

from pathlib import Path


class PipelineError(Exception):
    """Base of this package's errors; the message is for the operator."""


class CollectorRunningError(PipelineError):
    """Another process collects this spool: two at once could each store a record the other is storing."""

    def __init__(self, spool: Path) -> None:
        super().__init__(f"another process collects the spool {spool}: stop it first")
        self.spool = spool
