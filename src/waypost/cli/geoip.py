"""`waypost geoip`: the databases that tell where readers are."""

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import zip_longest
from pathlib import Path
from typing import Final

import click

from waypost.cli.options import config_option, data_option, load_settings, not_there
from waypost.cli.printable import one_line
from waypost.config import SecretUrl, Settings
from waypost.events.location import UNKNOWN, Location
from waypost.geoip.address import block_of
from waypost.geoip.database import About, Database
from waypost.geoip.download import Progress, fetch
from waypost.geoip.errors import GeoipError
from waypost.geoip.locator import Locator
from waypost.geoip.paths import database_paths

_PROGRESS_SECONDS: Final = 1.0


@click.group()
def geoip() -> None:
    """Fetch the databases that tell where readers are, and ask them.

    A running core takes a new file by itself. Events that are stored already keep what was known then: `waypost events
    enrich` looks them up again.
    """


@geoip.command()
@data_option
@config_option
def update(data: Path, config: Path | None) -> None:
    """Fetch what is newer at geoip.sources, and put it in the place of geoip.databases.

    Run it once a month, from cron or a systemd timer. What cannot be used is not put in place. Exit status 1 when a
    database could not be fetched; the others are.
    """
    settings = load_settings(config, data)
    if not data.is_dir():
        raise not_there("there is no data directory", data)
    failed = False
    for path, source in _pairs(settings):
        try:
            fetched = fetch(source, path, today=_today().date(), progress=_progress(path))
        except (GeoipError, OSError) as error:
            click.echo(f"{path}: {error}", err=True)
            failed = True
            continue
        click.echo(f"{path}: {'new' if fetched.is_new else 'nothing newer'} at {fetched.url}")
        click.echo(f"  {_about(fetched.about)}")
    if settings.geoip.attribution:
        click.echo(f"Show with what you make of it: {settings.geoip.attribution}")
    if failed:
        raise click.exceptions.Exit(1)


@geoip.command()
@data_option
@config_option
@click.argument("addresses", nargs=-1, metavar="[ADDRESS]...")
def status(data: Path, config: Path | None, addresses: tuple[str, ...]) -> None:
    """Show the databases, their age and their licence, and where each ADDRESS is.

    Exit status 1 when one cannot be used or is older than geoip.stale_days.
    """
    settings = load_settings(config, data)
    paths = database_paths(settings)
    good = [_show(path, settings.geoip.stale_days) for path in paths]
    if not paths:
        click.echo("geoip.databases is empty: the places of readers stay unknown.")
    if settings.geoip.attribution:
        click.echo(f"Show with what you make of it: {settings.geoip.attribution}")
    locator = Locator(paths)
    locator.look()
    for address in addresses:
        click.echo(f"{one_line(address)}: {_place(address, locator)}")
    if not all(good):
        raise click.exceptions.Exit(1)


def _pairs(settings: Settings) -> Sequence[tuple[Path, SecretUrl]]:
    pairs = list(zip_longest(database_paths(settings), settings.geoip.sources))
    if not pairs:
        raise click.ClickException("geoip.databases and geoip.sources are empty: there is nothing to fetch")
    if any(None in pair for pair in pairs):
        raise click.UsageError(
            f"geoip.databases names {len(settings.geoip.databases)} files, and geoip.sources "
            f"{len(settings.geoip.sources)} places to fetch them from: each file needs its own"
        )
    return pairs


def _show(path: Path, stale_days: int) -> bool:
    """Print a line or two about a file; whether all is well with it."""
    try:
        database = Database(path)
        database.check()
    except GeoipError as error:
        click.echo(f"{error}. `waypost geoip update` fetches it.")
        return False
    click.echo(f"{path}: {_about(database.about)}")
    days = (_today() - database.about.built_at).days
    if days > stale_days:
        click.echo(f"  It is old: {days} days, and geoip.stale_days is {stale_days}. Run `waypost geoip update`.")
    return days <= stale_days


def _about(about: About) -> str:
    days = (_today() - about.built_at).days
    description = f" ({one_line(about.description)})" if about.description else ""
    return (
        f"{one_line(about.kind)}{description}, built {about.built_at:%Y-%m-%d}, {days} days ago, "
        f"{about.size_bytes / 1e6:,.1f} MB"
    )


def _place(address: str, locator: Locator) -> str:
    if block_of(address) is None:
        return "unknown: not a public IP address"
    found = locator.locate(address)
    return _words(found) if found != UNKNOWN else "unknown: no database knows it"


def _words(found: Location) -> str:
    point = "" if found.latitude is None else f"{found.latitude}, {found.longitude}"
    network = f"AS{found.asn} {found.as_organisation}".rstrip() if found.asn else ""
    parts = (found.country, found.region, found.city, point, found.time_zone, network)
    return one_line("; ".join(filter(None, parts)))


def _progress(path: Path) -> Progress:
    """Says once a second how far it is, on standard error: a city database takes a while."""
    said_at = time.monotonic()

    def progress(came: int, total: int) -> None:
        nonlocal said_at
        if time.monotonic() - said_at >= _PROGRESS_SECONDS:
            said_at = time.monotonic()
            of_all = f" of {total / 1e6:,.0f}" if total else ""
            click.echo(f"{path}: {came / 1e6:,.0f}{of_all} MB", err=True)

    return progress


def _today() -> datetime:
    return datetime.now(UTC)
