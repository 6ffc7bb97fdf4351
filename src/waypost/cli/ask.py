"""Asking the running core, which owns the event store."""

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import click
import msgspec
from msgspec.structs import replace

from waypost.cli.options import not_there
from waypost.pipeline.answer import QUESTION, Question
from waypost.pipeline.hold import is_held
from waypost.pipeline.job import JobState

_LOOK_SECONDS: Final = 0.05
_WAIT_SECONDS: Final = 60


def answer_to(data: Path, question: Question) -> Question:
    """The question with its answer.

    Raises:
        click.ClickException: no core runs here, or it cannot say.
    """
    if not is_held(data / "spool"):
        raise not_there("no core runs on", data)
    until = time.monotonic() + _WAIT_SECONDS
    try:
        asked = _put(data, question, until)
        try:
            while time.monotonic() < until:
                there = QUESTION.read(data)
                if there is None or there.asked_at != asked.asked_at:
                    asked = _put(data, question, until)  # somebody else's took its place
                elif there.is_over:
                    return _checked(there)
                time.sleep(_LOOK_SECONDS)
        finally:
            QUESTION.call_off(data, asked)  # when it is interrupted too: it may name a reader
    except (OSError, msgspec.DecodeError) as error:
        raise click.ClickException(f"{error}. Run this as the user that Waypost runs as.") from error
    raise click.ClickException("the core has not answered within a minute: its log says what it does")


def _put(data: Path, question: Question, until: float) -> Question:
    """Behind the question of somebody else, if there is one."""
    while True:
        asked = replace(question, asked_at=datetime.now(UTC))
        if QUESTION.ask(data, asked) == asked or time.monotonic() > until:
            return asked
        time.sleep(_LOOK_SECONDS)


def _checked(answered: Question) -> Question:
    if answered.state is JobState.FAILED:
        raise click.ClickException(answered.problem)
    return answered
