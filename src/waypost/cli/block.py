"""`waypost block`: the kill switch."""

from collections.abc import Mapping
from pathlib import Path
from uuid import UUID

import click
from sqlalchemy import select

from waypost.cli.control_database import control_database, named_account
from waypost.cli.options import config_option, data_option
from waypost.cli.publish import publish
from waypost.cli.tables import table
from waypost.control.blocks.schema import NewBlock
from waypost.control.blocks.service import Asker, add_block, list_blocks, remove_block
from waypost.control.errors import InvalidFieldError
from waypost.control.sources import SYSTEM
from waypost.db import Database
from waypost.db.tables import Account, Block
from waypost.fleet.snapshot import BlockKind
from waypost.keyfile import KeyfileError, keyring_path, load_keyring

_ASKED_BY = "cli"


@click.group()
def block() -> None:
    """Switch links off, and on again.

    A blocked link answers 410 with a plain page on every edge within five seconds, also when the core is down. The
    click is recorded as blocked. `waypost block add --help` says what can be blocked.
    """


# Without a reason, whoever's link it is would find in the API's list of blocks that it is off, and not why.
@block.command(options_metavar="--reason TEXT [OPTIONS]")
@data_option
@config_option
@click.argument("kind", type=click.Choice([kind.value for kind in BlockKind]), metavar="KIND")
@click.argument("value", metavar="VALUE")
@click.option("--reason", required=True, help="Why; who it belongs to sees it.")
@click.option("--account", help="Whose link it is, when VALUE is the URL it leads to.")
def add(data: Path, config: Path | None, kind: str, value: str, *, reason: str, account: str | None) -> None:
    """Block something, and print the id to remove it with. Blocking it twice is no error.

    \b
    KIND     VALUE
    link     a tracked link, or with --account the URL it leads to: off in every message of that account
    send     a send_id: every link of that message
    profile  a profile_id
    account  an account_id or e-mail address
    host     evil.example, or *.evil.example for its subdomains: every link that leads there
    key      the id of a link key that got into wrong hands: every link sealed with it. Not while it
             seals new ones: promote another first (waypost keys add, waypost keys promote)

    For example:

    \b
      waypost block add link https://go.shop.example/c/AQFZ… --reason phishing
      waypost block add host '*.evil.example' --reason phishing
    """  # noqa: D301 -- \b is click's mark for a paragraph that keeps its lines
    with control_database(config, data) as (settings, database):
        try:
            keyring = load_keyring(keyring_path(data))
        except KeyfileError as error:
            raise click.ClickException(str(error)) from error
        asker = Asker(_ASKED_BY, named_account(database, account) if account else None)
        new = NewBlock(kind=BlockKind(kind), value=value, reason=reason)
        try:
            found = add_block(database, SYSTEM, keyring, asker, new)
        except InvalidFieldError as error:
            if new.kind is BlockKind.LINK and account is None:
                raise click.ClickException(f"{error}. --account names the account of a URL.") from error
            raise
        click.echo(found.public_id)
        click.echo(f"The {_what(database, found)} is blocked. {publish(settings, database)}", err=True)


@block.command("list")
@data_option
@config_option
def list_(data: Path, config: Path | None) -> None:
    """List what is blocked, oldest first; of a link, in the messages of which account."""
    with control_database(config, data) as (_, database):
        found = list_blocks(database, None)
        owners = _owners(database)
    table(
        ("ID", "KIND", "SINCE", "BY", "ACCOUNT", "VALUE", "REASON"),
        [
            (
                str(each.public_id),
                each.kind,
                f"{each.created_at:%Y-%m-%d %H:%M}",
                each.created_by,
                owners.get(each.number, "-"),
                each.value,
                each.reason,
            )
            for each in found
        ],
    )


@block.command()
@data_option
@config_option
@click.argument("block_id", type=click.UUID, metavar="ID")
def remove(data: Path, config: Path | None, block_id: UUID) -> None:
    """Lift a block."""
    with control_database(config, data) as (settings, database):
        lifted = remove_block(database, SYSTEM, Asker(_ASKED_BY, None), block_id)
        click.echo(f"The {_what(database, lifted)} is not blocked any more. {publish(settings, database)}")


def _what(database: Database, found: Block) -> str:
    """What a block is about: a URL alone does not say it, for others' links there are not off."""
    where = f" in every message of {_owners(database)[found.number]}" if found.kind == BlockKind.LINK else ""
    return f"{found.kind} {found.value}{where}"


def _owners(database: Database) -> Mapping[int, str]:
    """By the number of a block, the e-mail address of the account that it is about, if it is about one's."""
    owners = select(Block.number, Account.email).join(Account, Account.number == Block.account)
    with database.reading() as session:
        return {row.number: row.email for row in session.execute(owners)}
