"""`waypost api-keys`: what applications log in with."""

from datetime import datetime
from pathlib import Path
from uuid import UUID

import click

from waypost.cli.control_database import control_database, named_account
from waypost.cli.options import config_option, data_option
from waypost.cli.tables import table
from waypost.control.keys.schema import NewApiKey
from waypost.control.keys.service import create_api_key, list_api_keys, revoke_api_key
from waypost.control.permissions import may
from waypost.control.sources import SYSTEM
from waypost.db.states import Role

# \b is click's mark for a paragraph that keeps its lines.
_ROLES = "\n".join(("\b", "ROLE       MAY", *(f"{role:9}  {may(role)}" for role in Role)))


@click.group("api-keys")
def api_keys() -> None:
    """Create, list and revoke API keys.

    ACCOUNT is an account's id or e-mail address. A key nobody logs in with for 90 days is revoked.
    """


@api_keys.command(epilog=_ROLES)
@data_option
@config_option
@click.argument("account")
@click.option("--name", required=True, help="What uses it.")
@click.option(
    "--role",
    type=click.Choice([role.value for role in Role]),
    default=Role.STANDARD.value,
    show_default=True,
    help="What it may do; see below.",
)
def create(data: Path, config: Path | None, account: str, *, name: str, role: str) -> None:
    """Create a key and print it as key:secret. The secret is not kept: it cannot be shown again."""
    with control_database(config, data) as (_, database):
        owner = named_account(database, account)
        created = create_api_key(database, SYSTEM, owner.public_id, NewApiKey(name=name, role=Role(role)))
    click.echo(f"{created.api_key.key}:{created.secret}")
    click.echo("Keep it now: the part after the colon is not stored here.", err=True)


@api_keys.command("list")
@data_option
@config_option
@click.argument("account")
def list_(data: Path, config: Path | None, account: str) -> None:
    """List an account's keys, oldest first, revoked ones included."""
    with control_database(config, data) as (_, database):
        found = list_api_keys(database, named_account(database, account).public_id)
    table(
        ("ID", "KEY", "ROLE", "NAME", "LAST LOGIN", "REVOKED"),
        [
            (str(key.public_id), key.key, key.role, key.name, _instant(key.last_used_at), _instant(key.revoked_at))
            for key in found
        ],
    )


@api_keys.command()
@data_option
@config_option
@click.argument("api_key", type=click.UUID, metavar="ID")
def revoke(data: Path, config: Path | None, api_key: UUID) -> None:
    """End a key at once, with every access token it was given."""
    with control_database(config, data) as (_, database):
        revoked = revoke_api_key(database, SYSTEM, api_key)
    click.echo(f"{revoked.key} is revoked.")


def _instant(at: datetime | None) -> str:
    return at.strftime("%Y-%m-%d %H:%M UTC") if at else "-"
