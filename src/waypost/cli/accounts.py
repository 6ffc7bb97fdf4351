"""`waypost accounts`: who may send."""

import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import click
from msgspec.structs import asdict

from waypost.cli.ask import answer_to
from waypost.cli.control_database import control_database, named_account
from waypost.cli.options import config_option, data_option
from waypost.cli.publish import publish
from waypost.cli.tables import table
from waypost.config import Settings
from waypost.control.accounts.schema import MAX_DAYS, NewAccount, NewPassword
from waypost.control.accounts.service import create_account, decide, list_accounts, list_decisions
from waypost.control.accounts.service import keep as keep_for
from waypost.control.keys.service import set_password
from waypost.control.operators.schema import Rejection
from waypost.control.sources import SYSTEM
from waypost.db.states import AccountState
from waypost.db.tables import Account
from waypost.pipeline.answer import Question
from waypost.pipeline.retention import keep_of

_DECIDED_BY = "cli"
_DEFAULT: Final = "default"
_KEPT: Final = (
    ("content_days", "content and link reports"),
    ("event_days", "events and sends"),
    ("address_days", "readers' addresses"),
    ("user_agent_days", "user agents and other headers"),
)


def _days_from(least: int) -> Callable[[str], int | str]:
    """A number of days, or `default`."""

    def days(value: str) -> int | str:
        if value == _DEFAULT:
            return value
        if value.isdecimal() and least <= int(value) <= MAX_DAYS:
            return int(value)
        raise click.BadParameter(f"{value} is neither a number from {least} to {MAX_DAYS} nor `{_DEFAULT}`")

    return days


@click.group()
def accounts() -> None:
    """Create, list, approve, reject and suspend accounts, set their passwords, and say how long what is theirs is kept.

    An account may send once it is approved and has an active sending profile. ACCOUNT is its id or e-mail address.
    """


@accounts.command()
@data_option
@config_option
@click.option("--name", required=True, help="Who it is.")
@click.option("--email", required=True, help="Its owner's e-mail address; one account each.")
def create(data: Path, config: Path | None, name: str, email: str) -> None:
    """Create a pending account and print its id."""
    with control_database(config, data) as (_, database):
        account = create_account(database, SYSTEM, NewAccount(name=name, email=email))
    click.echo(account.public_id)
    click.echo(f"It is {account.state}: `waypost accounts approve {account.email}` lets it send.", err=True)


@accounts.command()
@data_option
@config_option
@click.argument("account")
def approve(data: Path, config: Path | None, account: str) -> None:
    """Let a pending, rejected or suspended account send."""
    _decide(data, config, account, AccountState.APPROVED, None)


@accounts.command()
@data_option
@config_option
@click.argument("account")
@click.option("--reason", required=True, help="Why; the owner sees it.")
def reject(data: Path, config: Path | None, account: str, reason: str) -> None:
    """Turn a pending account down, or a suspended one for good: its queued messages end as rejected."""
    _decide(data, config, account, AccountState.REJECTED, reason)


@accounts.command()
@data_option
@config_option
@click.argument("account")
@click.option("--reason", required=True, help="Why; the owner sees it.")
@click.option(
    "--block-links", is_flag=True, help="Switch off every link of the account too, until the block is lifted."
)
def suspend(data: Path, config: Path | None, account: str, *, reason: str, block_links: bool) -> None:
    """Stop an approved account's sending; queued messages are held until it is approved again, or rejected.

    Links already sent go on working, unless --block-links has them answer 410.
    """
    _decide(data, config, account, AccountState.SUSPENDED, reason, block_links=block_links)


@accounts.command()
@data_option
@config_option
@click.argument("account")
@click.option("--content-days", type=_days_from(1), help="Of its messages' content and link reports.")
@click.option("--event-days", type=_days_from(0), help="Of clicks, opens and states; old sends go with them.")
@click.option("--address-days", type=_days_from(0), help="Of readers' addresses; places stay.")
@click.option("--user-agent-days", type=_days_from(0), help="Of readers' user agents and other headers; clients stay.")
@click.option("--dry-run", is_flag=True, help="Change nothing; say how much of what is stored of readers would go.")
def keep(data: Path, config: Path | None, account: str, *, dry_run: bool, **said: int | str | None) -> None:
    """Say how many days what an account sends, and what is stored of its readers, is kept; without options, show it.

    `default` is as the settings have it, control.content_days and [retention]. 0 is for ever. Content that is older
    goes within the hour, the rest within a day, for good; what is still to be delivered is kept until it is.
    """
    days = {name: None if value == _DEFAULT else int(value) for name, value in said.items() if value is not None}
    with control_database(config, data) as (settings, database):
        kept = named_account(database, account)
        if days and not dry_run:
            kept = keep_for(database, SYSTEM, kept.public_id, days)
    if dry_run:
        _dry_run(data, settings, kept, days)
        return
    defaults = asdict(settings.retention) | {"content_days": settings.control.content_days}
    table(("KEPT", "DAYS", ""), [(what, *_shown(getattr(kept, name), defaults[name])) for name, what in _KEPT])


def _dry_run(data: Path, settings: Settings, account: Account, said: Mapping[str, int | None]) -> None:
    days = [said.get(name, getattr(account, name)) for name in asdict(settings.retention)]
    now = datetime.now(UTC)
    wanted = keep_of((account.number,), settings.retention, days, now)
    going = answer_to(data, Question(asked_at=now, limit=1, keep=wanted)).going
    for what, rows in asdict(going).items() if going else ():
        click.echo(f"{rows:>11,}  {what.replace('_', ' ')}")


def _shown(own: int | None, default: int) -> tuple[str, str]:
    days = default if own is None else own
    return str(days) if days else "for ever", "by default" if own is None else ""


@accounts.command()
@data_option
@config_option
@click.argument("account")
def history(data: Path, config: Path | None, account: str) -> None:
    """List what was decided on an account, by whom and why, oldest first."""
    with control_database(config, data) as (_, database):
        decisions = list_decisions(database, named_account(database, account).public_id)
    table(
        ("WHEN", "STATE", "BY", "REASON"),
        [
            (f"{each.decided_at:%Y-%m-%d %H:%M} UTC", each.state, each.decided_by, each.reason or "")
            for each in decisions
        ],
    )


@accounts.command()
@data_option
@config_option
@click.argument("account")
def password(data: Path, config: Path | None, account: str) -> None:
    """Set an account's password, typed twice or, from a pipe, read from the first line.

    Its owner logs in to the API with the account's e-mail address and it, as with a key of role standard. The password
    before it ends, with its sessions.
    """
    if sys.stdin.isatty():
        typed = click.prompt("Password", hide_input=True, confirmation_prompt=True)
    else:
        typed = sys.stdin.readline().rstrip("\n")
    with control_database(config, data) as (_, database):
        found = named_account(database, account)
        set_password(database, SYSTEM, found.public_id, NewPassword(password=typed).password)
    click.echo(f"{found.email} has a new password.")


@accounts.command("list")
@data_option
@config_option
def list_(data: Path, config: Path | None) -> None:
    """List every account, oldest first."""
    with control_database(config, data) as (_, database):
        found = list_accounts(database)
    table(
        ("ID", "STATE", "EMAIL", "NAME", "REASON"),
        [
            (str(account.public_id), account.state, account.email, account.name, account.rejected_reason or "")
            for account in found
        ],
    )


def _decide(
    data: Path, config: Path | None, account: str, state: AccountState, reason: str | None, *, block_links: bool = False
) -> None:
    with control_database(config, data) as (settings, database):
        found = named_account(database, account)
        if found.state is state:
            raise click.ClickException(f"{found.email} is {state} already")
        # By the same rule as in the API: an empty reason tells the owner nothing.
        said = None if reason is None else Rejection(reason=reason).reason
        decided = decide(
            database, SYSTEM, found.public_id, state, reason=said, decided_by=_DECIDED_BY, block_links=block_links
        )
        click.echo(f"{decided.email} is {decided.state}.")
        if block_links:
            click.echo(
                f"Its links are blocked; `waypost block list` has the id. {publish(settings, database)}", err=True
            )
