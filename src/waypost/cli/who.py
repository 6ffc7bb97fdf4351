"""`waypost who`: did she click?"""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from uuid import UUID

import click
from sqlalchemy import select

from waypost.cli.ask import answer_to
from waypost.cli.control_database import control_database, named_account
from waypost.cli.options import config_option, data_option
from waypost.cli.printable import one_line
from waypost.cli.tables import table
from waypost.config.settings import RetentionSettings
from waypost.db import Database
from waypost.db.states import PrivacyMode
from waypost.db.tables import Send
from waypost.pipeline.answer import Question
from waypost.pipeline.retention import keeps_of
from waypost.store.lookup import FirstClick, SentTo
from waypost.store.retention import EPOCH

_SENDS_MAX = 10_000
_UNNAMED = frozenset({PrivacyMode.PSEUDONYMOUS, PrivacyMode.ANONYMOUS})


class _Untold(StrEnum):
    """Why nobody can say that no link of a send was followed."""

    UNTRACKED = "the links were not tracked"
    UNNAMED = "the links do not tell who follows them"
    NOT_KEPT = "what was stored of clicks is not kept any more"


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
    requests and prefetches are no clicks. `?` is a send of which nobody can say.
    """
    now = datetime.now(UTC)
    with control_database(config, data) as (settings, database):
        number = None if account is None else named_account(database, account).number
        sends = answer_to(data, Question(asked_at=now, address=address, account=number, limit=limit)).sends
        untold = _untold(database, settings.retention, sends, now)
    click.echo(one_line(_in_short(address, sends, untold)))
    if sends:
        table(
            ("SENT", "SEND", "CLICKS", "HUMAN", "MACHINE", "FIRST", "WHERE", "WITH", "TAGS"),
            [_row(each, told=each.clicks > 0 or each.send.send_id not in untold) for each in sends],
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


def _untold(
    database: Database, settings: RetentionSettings, sends: Sequence[SentTo], now: datetime
) -> dict[UUID, _Untold]:
    """Sends of which nobody can say that no link was followed, and why."""
    kept_since = {
        account: keep.events_before for keep in keeps_of(database, settings, now) for account in keep.accounts
    }
    found = {
        each.send.send_id: _Untold.NOT_KEPT
        for each in sends
        if each.send.accepted_at < kept_since.get(each.send.account, EPOCH)
    }
    tracking = select(Send.send_id, Send.click_tracking, Send.privacy_mode).where(
        Send.send_id.in_([each.send.send_id for each in sends])
    )
    with database.reading() as session:
        for send_id, click_tracking, privacy_mode in session.execute(tracking):
            if not click_tracking or privacy_mode is PrivacyMode.OFF:
                found[send_id] = _Untold.UNTRACKED
            elif privacy_mode in _UNNAMED:
                found[send_id] = _Untold.UNNAMED
    return found


def _in_short(address: str, sends: Sequence[SentTo], untold: Mapping[UUID, _Untold]) -> str:
    if not sends:
        return f"Nothing that is stored was sent to {address}."
    human = [each for each in sends if each.human]
    if human:
        return f"Yes: {address} clicked in {len(human)} of {len(sends)} shown."
    if any(each.clicks > each.machine for each in sends):
        return f"Perhaps: who clicked in what was sent to {address} is in doubt."
    silent = len(untold)
    reasons = Counter(untold.values())
    why = "; ".join(f"{reason} ({reasons[reason]} shown)" for reason in _Untold if reason in reasons)
    if silent == len(sends):
        return f"Not known: {why}."
    but = f" Of {silent} others it is not known: {why}." if silent else ""
    if any(each.clicks for each in sends):
        return f"No: machines followed links of what was sent to {address}, and no person is known to.{but}"
    return f"No: nobody followed a link in what was sent to {address} ({len(sends) - silent} shown).{but}"


def _row(sent: SentTo, *, told: bool) -> tuple[str, ...]:
    first = sent.first
    counts = (sent.clicks, sent.human, sent.machine)
    return (
        f"{sent.send.accepted_at:%Y-%m-%d %H:%M}",
        str(sent.send.send_id),
        *(str(count) if told else "?" for count in counts),
        f"{first.at:%Y-%m-%d %H:%M:%S}" if first else "",
        _where(first) if first else "",
        " on ".join(filter(None, (first.browser, first.os))) if first else "",
        ", ".join(sent.send.tags),
    )


def _where(first: FirstClick) -> str:
    return ", ".join(filter(None, (first.city, first.country)))
