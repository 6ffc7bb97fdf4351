"""`waypost accounts`: who may send."""

import sys
from pathlib import Path

import click

from waypost.cli.control_database import control_database, named_account
from waypost.cli.options import config_option, data_option
from waypost.cli.publish import publish
from waypost.cli.tables import table
from waypost.control.accounts.schema import NewAccount, NewPassword
from waypost.control.accounts.service import create_account, decide, keep_content, list_accounts, list_decisions
from waypost.control.keys.service import set_password
from waypost.control.operators.schema import MAX_CONTENT_DAYS, Rejection
from waypost.control.sources import SYSTEM
from waypost.db.states import AccountState

_DECIDED_BY = "cli"


@click.group()
def accounts() -> None:
    """Create, list, approve, reject and suspend accounts, set their passwords, and say how long content is kept.

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
@click.option(
    "--content-days",
    type=click.IntRange(1, MAX_CONTENT_DAYS),
    help="How many days; without it as the setting control.content_days has it.",
)
def keep(data: Path, config: Path | None, account: str, content_days: int | None) -> None:
    """Say how long the content of an account's messages is kept, with its link reports.

    What is older goes within the hour, for good; what is still to be delivered is kept until it is.
    """
    with control_database(config, data) as (settings, database):
        kept = keep_content(database, SYSTEM, named_account(database, account).public_id, content_days)
    days = settings.control.content_days if kept.content_days is None else kept.content_days
    click.echo(f"Content of {kept.email} is kept for {days} days.")


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
