"""`waypost links inspect`: what a tracked link says, and whether it opens."""

from datetime import UTC, datetime
from pathlib import Path

import click

from waypost.cli.options import data_option, keyring_option
from waypost.events.ids import uuid7_unix_ms
from waypost.keyfile import KeyfileError, keyring_path, load_keyring
from waypost.links.errors import BadSeal, TokenError
from waypost.links.token import Kind, Payload, open_token, read_header
from waypost.links.url import parse_url

_Rows = list[tuple[str, object]]


@click.command()
@click.argument("url")
@data_option
@keyring_option
def inspect(url: str, data: Path, keyring_file: Path | None) -> None:
    """Say what a tracked link or open pixel URL carries, and whether it opens. Nothing is fetched or counted.

    \b
    Exit codes:
      0  it opens
      1  it does not open, or the keyring cannot be read; the message says why
      2  wrong usage: not the URL of a tracked link
    """  # noqa: D301 -- \b is click's mark for a paragraph that keeps its lines
    tracked = parse_url(url)
    if tracked is None:
        raise click.UsageError("not a tracked link: https://LINK-DOMAIN/c/TOKEN, or …/o/TOKEN.gif for an open pixel")
    try:
        _print_table([("link domain", tracked.link_domain), *_header_rows(tracked.token)])
        keyring = load_keyring(keyring_file or keyring_path(data))
        payload = open_token(tracked.token, tracked.link_domain, keyring, kind=tracked.kind)
    except KeyfileError as error:
        raise click.ClickException(str(error)) from error
    except BadSeal as error:
        raise click.ClickException(
            f"does not open: it was altered, or sealed for another link domain or with another keyring ({error.code})"
        ) from error
    except TokenError as error:
        raise click.ClickException(f"does not open: {error} ({error.code})") from error
    _print_table(_payload_rows(payload))


def _header_rows(token: str) -> _Rows:
    """What can be read without a key, and so without proof."""
    header = read_header(token)
    return [("version", header.version), ("key id", header.key_id)]


def _payload_rows(payload: Payload) -> _Rows:
    rows: _Rows = [
        ("opens", "yes"),
        ("kind", payload.kind),
        ("account", payload.account),
        ("profile", payload.profile),
        ("privacy", payload.privacy),
        ("ip policy", payload.ip_policy),
    ]
    if payload.send_id is not None:
        sent_at = datetime.fromtimestamp(uuid7_unix_ms(payload.send_id) / 1000, UTC)
        rows += [("send id", payload.send_id), ("send time", sent_at.isoformat(timespec="milliseconds"))]
    if payload.kind is Kind.CLICK:
        rows += [("link index", payload.link_index), ("destination", payload.destination)]
    return rows


def _print_table(rows: _Rows) -> None:
    for name, value in rows:
        click.echo(f"{name:12} {value}")
