"""`waypost who`: did she click?"""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import click

from waypost.cli.ask import answer_to
from waypost.cli.control_database import control_database, named_account
from waypost.cli.options import config_option, data_option
from waypost.cli.printable import one_line
from waypost.cli.tables import table
from waypost.pipeline.answer import Question
from waypost.store.lookup import FirstClick, SentTo

_SENDS_MAX = 10_000


@click.command()
@data_option
@config_option
@click.argument("address")
@click.option("--account", help="Of this account only, by id or e-mail address.")
@click.option(
    "--limit", type=click.IntRange(1, _SENDS_MAX), default=20, show_default=True, help="How many sends at most."
)
def who(data: Path, config: Path | None, address: str, *, account: str | None, limit: int) -> None:
    """Did ADDRESS click? Every send to it, newest first, with its clicks by people and by machines.

    Where and with what is that of the first click by a person, or of the first one when there is none by a person. HEAD
    requests and prefetches are no clicks.
    """
    number = account_number(config, data, account)
    question = Question(asked_at=datetime.now(UTC), address=address, account=number, limit=limit)
    sends = answer_to(data, question).sends
    click.echo(one_line(_in_short(address, sends)))
    if sends:
        table(
            ("SENT", "SEND", "CLICKS", "HUMAN", "MACHINE", "FIRST", "WHERE", "WITH", "TAGS"), [_row(e) for e in sends]
        )


def account_number(config: Path | None, data: Path, account: str | None) -> int | None:
    """Of an account that was named.

    Raises:
        click.ClickException: there is none.
    """
    if account is None:
        return None
    with control_database(config, data) as (_, database):
        return named_account(database, account).number


def _in_short(address: str, sends: Sequence[SentTo]) -> str:
    if not sends:
        return f"Nothing that is stored was sent to {address}."
    human = [each for each in sends if each.human]
    if human:
        return f"Yes: {address} clicked in {len(human)} of {len(sends)} shown."
    if any(each.clicks > each.machine for each in sends):
        return f"Perhaps: who clicked in what was sent to {address} is in doubt."
    if any(each.clicks for each in sends):
        return f"No: machines followed links of what was sent to {address}, and no person is known to."
    return f"No: nobody followed a link of the {len(sends)} shown that were sent to {address}."


def _row(sent: SentTo) -> tuple[str, ...]:
    first = sent.first
    return (
        f"{sent.send.accepted_at:%Y-%m-%d %H:%M}",
        str(sent.send.send_id),
        str(sent.clicks),
        str(sent.human),
        str(sent.machine),
        f"{first.at:%Y-%m-%d %H:%M:%S}" if first else "",
        _where(first) if first else "",
        " on ".join(filter(None, (first.browser, first.os))) if first else "",
        ", ".join(sent.send.tags),
    )


def _where(first: FirstClick) -> str:
    return ", ".join(filter(None, (first.city, first.country)))
