"""`waypost events tail`: events as they are stored."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from time import sleep as pause
from typing import Final

import click

from waypost.cli.ask import answer_to
from waypost.cli.options import config_option, data_option
from waypost.cli.printable import one_line
from waypost.cli.who import account_number
from waypost.events.hit import Outcome
from waypost.pipeline.answer import Position, Question
from waypost.store.lookup import Seen

_LOOK_SECONDS: Final = 1.0
_LINES_MAX: Final = 1000
_HEADER: Final = f"{'WHEN (UTC)':19}  {'WHAT':9}  {'BY':7}  TO  WHERE  WITH  LINK"


@click.command()
@data_option
@config_option
@click.option("--account", help="Of this account only, by id or e-mail address.")
@click.option(
    "-n", "--lines", type=click.IntRange(1, _LINES_MAX), default=10, show_default=True, help="How many to begin with."
)
@click.option("-f", "--follow", is_flag=True, help="Go on with what is stored from now on, until interrupted.")
def tail(data: Path, config: Path | None, *, account: str | None, lines: int, follow: bool) -> None:
    """Show the events that were stored last: when (UTC), what, by whom, to whom, where, with what, which link.

    HEAD requests, prefetches and visits to links that are switched off are shown as "not counted". What is more than
    three days old when it is stored is not shown. A verdict is the first one, and may change. The columns' names go to
    standard error: a pipe gets events only.
    """
    number = account_number(config, data, account)
    seen = _ask(data, number, lines, None)
    click.echo(_HEADER, err=True)
    after = None
    while True:
        for each in seen:
            click.echo(_line(each))
        if not follow:
            return
        if seen:
            after = Position(seen[-1].event.stored_at, seen[-1].event.event_id)
        if len(seen) < _LINES_MAX:
            pause(_LOOK_SECONDS)
        seen = _ask(data, number, _LINES_MAX, after)


def _ask(data: Path, account: int | None, limit: int, after: Position | None) -> Sequence[Seen]:
    return answer_to(data, Question(asked_at=datetime.now(UTC), account=account, limit=limit, after=after)).seen


def _line(seen: Seen) -> str:
    event, place = seen.event, seen.event.location
    return one_line(
        "  ".join(
            (
                f"{event.occurred_at:%Y-%m-%d %H:%M:%S}",
                f"{event.event:9}",
                f"{event.verdict.verdict_class if event.verdict else '':7}",
                seen.send.recipient_email_address if seen.send else "-",
                ", ".join(filter(None, (place.city, place.country))) or "-",
                " on ".join(filter(None, (event.client.browser, event.client.os))) or "-",
                ": ".join(filter(None, (_uncounted(event.outcome), event.link.url if event.link else event.detail))),
            )
        ).rstrip()
    )


def _uncounted(outcome: Outcome | None) -> str:
    return "" if outcome in {None, Outcome.ANSWERED} else f"{outcome}, not counted"
