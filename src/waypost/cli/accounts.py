"""`waypost accounts`: who may send."""

from pathlib import Path

import click

from waypost.cli.control_database import control_database, named_account, table
from waypost.cli.options import config_option, data_option
from waypost.control.accounts.schema import NewAccount
from waypost.control.accounts.service import create_account, decide, list_accounts
from waypost.control.sources import SYSTEM
from waypost.db.states import AccountState

_DECIDED_BY = "cli"


@click.group()
def accounts() -> None:
    """Create, list and approve accounts.

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
    """Turn a pending account down."""
    _decide(data, config, account, AccountState.REJECTED, reason)


@accounts.command()
@data_option
@config_option
@click.argument("account")
@click.option("--reason", required=True, help="Why; the owner sees it.")
def suspend(data: Path, config: Path | None, account: str, reason: str) -> None:
    """Stop an approved account's sending, queued messages included. Links already sent go on working."""
    _decide(data, config, account, AccountState.SUSPENDED, reason)


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


def _decide(data: Path, config: Path | None, account: str, state: AccountState, reason: str | None) -> None:
    with control_database(config, data) as (_, database):
        found = named_account(database, account)
        if found.state is state:
            raise click.ClickException(f"{found.email} is {state} already")
        decided = decide(database, SYSTEM, found.public_id, state, reason=reason, decided_by=_DECIDED_BY)
    click.echo(f"{decided.email} is {decided.state}.")
