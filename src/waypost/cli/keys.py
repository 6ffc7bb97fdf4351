"""`waypost keys`: the keys that seal and open links."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import click

from waypost.cli.key_holders import beyond, blocking, check_newest, lacking, origin, wait_for_all
from waypost.cli.options import config_option, data_option
from waypost.cli.tables import table
from waypost.keyfile import (
    KeyfileError,
    add_key,
    check_new_keyring_is_safe,
    create_keyring,
    export_keyring,
    keyring_path,
    load_keyring,
    promote_key,
    record_export,
    unexported_key_ids,
)
from waypost.links.errors import InvalidKeyring
from waypost.links.keyring import Key

_STDOUT = Path("-")
_EDGES_SECONDS = 10
"""For every edge to take a new key: five seconds are promised of those elsewhere."""


@click.group()
def keys() -> None:
    """Create, add, list and export the keys that seal links.

    The keyring is one small file, keyring.json in the data directory. Every link ever sent needs it to open: keys are
    added, never removed, and a copy belongs in a safe place (`waypost keys export`).
    """


@keys.command()
@data_option
@click.option(
    "--beside-existing-data",
    is_flag=True,
    help="Although the data directory is not empty. Links sent from it before will never open again.",
)
def create(data: Path, *, beside_existing_data: bool) -> None:
    """Make the keyring of an empty data directory. `waypost up` does this by itself on its first start."""
    path = keyring_path(data)
    with _plain_errors():
        if not beside_existing_data and not path.exists():
            check_new_keyring_is_safe(data)
        keyring = create_keyring(path)
    click.echo(f"Created {path} with key {keyring.minting.key_id}. Now keep a copy elsewhere: waypost keys export FILE")


@keys.command()
@data_option
@config_option
@click.option("--mint", is_flag=True, help="Seal new links with it, once every edge holds it.")
def add(data: Path, config: Path | None, *, mint: bool) -> None:
    """Add a key. It opens links at once, and seals none before `waypost keys promote`, or with --mint.

    Edges read it within a second; those on machines of their own fetch it.
    """
    path = keyring_path(data)
    with _plain_errors():
        _refuse_fetched(path, origin(data, config))
        keyring = load_keyring(path)
        check_newest(data, keyring)
        _refuse_old_copy(path, beyond(data, config, keyring))
        key = add_key(path).keys[-1]
        click.echo(f"Added key {key.key_id}. Keep a new copy elsewhere: waypost keys export FILE")
        if mint:
            _refuse_blocked(key, blocking(data, config, key))
            without = wait_for_all(data, config, key, _EDGES_SECONDS)
            _refuse_to_mint(key, without)
            promote_key(path, key.key_id)
            click.echo(f"New links are sealed with key {key.key_id} from now on.")


@keys.command()
@data_option
@config_option
@click.argument("key_id", type=int, metavar="ID")
def promote(data: Path, config: Path | None, key_id: int) -> None:
    """Seal new links with key ID from now on, if every edge holds it: else those links would not open everywhere."""
    path = keyring_path(data)
    with _plain_errors():
        _refuse_fetched(path, origin(data, config))
        keyring = load_keyring(path)
        check_newest(data, keyring)
        key = next((key for key in keyring.keys if key.key_id == key_id), None)
        if key is None:
            raise click.ClickException(f"There is no key {key_id}; `waypost keys list` shows which there are.")
        _refuse_blocked(key, blocking(data, config, key))
        _refuse_to_mint(key, lacking(data, config, key))
        promote_key(path, key_id)
    click.echo(f"New links are sealed with key {key_id} from now on. Older ones go on opening.")


def _refuse_fetched(path: Path, core: str | None) -> None:
    """A key added to it would be on no other machine, and the core's next one, of the same id, refused here."""
    if core:
        raise click.ClickException(
            f"{path} is an edge's copy of the keyring of {core}, and is not changed. Run this on the core's machine: "
            "what it changes is here within seconds. If this is the core's machine, name the settings that the core is "
            "started with (--config FILE, or WAYPOST_DB__URL)."
        )


def _refuse_old_copy(path: Path, holding: list[str]) -> None:
    """A key added to it would have the id of one that links are sealed with: no edge could ever hold both."""
    if holding:
        raise click.ClickException(
            f"No key is added, because {path} lacks keys that edges hold:\n  "
            + "\n  ".join(holding)
            + f"\nIt is an old copy, or another one: put the newest back (cp COPY {path} && chmod 600 {path}). An edge "
            "elsewhere has one in its data directory; one that is gone for good: waypost edges remove"
        )


def _refuse_blocked(key: Key, blocks: list[str]) -> None:
    if blocks:
        raise click.ClickException(
            f"Key {key.key_id} does not mint, because it is blocked: links sealed with it would be dead on arrival. "
            "Promote another (`waypost keys add`, `waypost keys promote`), or lift the block: waypost block remove "
            + ", ".join(blocks)
        )


def _refuse_to_mint(key: Key, without: list[str]) -> None:
    if without:
        raise click.ClickException(
            f"Key {key.key_id} does not mint yet, because links sealed with it would not open everywhere:\n  "
            + "\n  ".join(without)
            + f"\nOnce they hold it: waypost keys promote {key.key_id}. One that is gone for good: waypost edges remove"
        )


@keys.command("list")
@data_option
def list_(data: Path) -> None:
    """List the keys: id, state, fingerprint (the same on every machine that holds the key), and whether exported."""
    path = keyring_path(data)
    with _plain_errors():
        keyring = load_keyring(path)
    unexported = unexported_key_ids(path, keyring)
    rows = [
        (str(key.key_id), key.state, key.fingerprint, "no" if key.key_id in unexported else "yes")
        for key in keyring.keys
    ]
    table(("KEY", "STATE", "FINGERPRINT", "EXPORTED"), rows)


@keys.command()
@data_option
@click.argument("target", metavar="FILE", type=click.Path(path_type=Path, dir_okay=False, allow_dash=True))
def export(data: Path, target: Path) -> None:
    """Copy the keyring to FILE, which must be new (mode 0600); - writes to standard output.

    Who has the copy can forge links, and who has none cannot restore them: keep it like a password, off this machine.
    """
    path, now = keyring_path(data), datetime.now(UTC)
    with _plain_errors():
        if target == _STDOUT:
            keyring = load_keyring(path)
            click.echo(keyring.dump(), nl=False)
            record_export(path, keyring, now=now)
        else:
            keyring = export_keyring(path, target, now=now)
            click.echo(f"Exported {len(keyring.keys)} key(s) to {target}. Keep it like a password, off this machine.")


@contextmanager
def _plain_errors() -> Iterator[None]:
    """What an operator can act on becomes one sentence and exit code 1."""
    try:
        yield
    except (KeyfileError, InvalidKeyring) as error:
        raise click.ClickException(str(error)) from error
    except OSError as error:
        raise click.ClickException(f"{error.filename}: {error.strerror}") from error
