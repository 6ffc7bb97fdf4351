"""`waypost profiles`: which domains may send, and where their links live."""

import time
from pathlib import Path
from uuid import UUID

import click

from waypost.cli.control_database import control_database, named_account
from waypost.cli.options import config_option, data_option
from waypost.cli.publish import publish
from waypost.cli.setup_text import records_text, setup_text, summary, waits_for_operator
from waypost.cli.tables import table
from waypost.control.profiles.schema import NewProfile
from waypost.control.profiles.service import (
    create_profile,
    delete_profile,
    find_profile,
    list_profiles,
    request_check,
)
from waypost.control.profiles.setup import setup_of
from waypost.control.sources import SYSTEM
from waypost.db import load_control_key
from waypost.db.states import AccountState, ProfileState

_ASK_SECONDS = 0.5


@click.group()
def profiles() -> None:
    """Create, show, verify, list and delete sending profiles.

    ACCOUNT is an account's id or e-mail address, PROFILE a profile's id. A profile sends once the DNS records that it
    asks for are published and HTTPS works on its link domain; a running `waypost up` looks by itself.
    """


@profiles.command()
@data_option
@config_option
@click.argument("account")
@click.option("--name", required=True, help="What to call it.")
@click.option("--sending-domain", required=True, help="Domain of the From address.")
@click.option("--link-domain", required=True, help="Domain that every tracked link is on, without port.")
@click.option("--link-domain-default-redirect", help="URL that a visit to the bare link domain leads to.")
@click.option("--bounce-domain", help="Domain of the Return-Path.")
def create(
    data: Path,
    config: Path | None,
    account: str,
    *,
    name: str,
    sending_domain: str,
    link_domain: str,
    link_domain_default_redirect: str | None,
    bounce_domain: str | None,
) -> None:
    """Create a profile, print its id, and say which DNS records to publish.

    On a development link domain it is active at once; on any other once its records are there.
    """
    with control_database(config, data) as (settings, database):
        owner = named_account(database, account)
        profile = create_profile(
            database,
            SYSTEM,
            owner,
            NewProfile(
                profile_name=name,
                sending_domain=sending_domain,
                link_domain=link_domain,
                link_domain_default_redirect=link_domain_default_redirect,
                bounce_domain=bounce_domain,
            ),
            settings.links.development_domains,
            control_key=load_control_key(settings.data),
        )
        setup = setup_of(database, settings, owner, profile.public_id)
    click.echo(profile.public_id)
    if profile.state is not ProfileState.ACTIVE:
        click.echo("Publish these records where the domains' DNS is managed:\n", err=True)
        click.echo("\n".join([*records_text(setup), *waits_for_operator(setup)]), err=True)
        said = f"It is {profile.state}, and active once they are seen: waypost profiles show {profile.public_id}"
    elif owner.state is not AccountState.APPROVED:
        said = f"It is active; the account is {owner.state}: `waypost accounts approve {owner.email}` lets it send."
    else:
        said = f"It is active: messages from {profile.sending_domain} can be sent."
    click.echo(said, err=True)


@profiles.command()
@data_option
@config_option
@click.argument("profile", type=click.UUID)
def show(data: Path, config: Path | None, profile: UUID) -> None:
    """Show a profile: the records to publish, what was seen of each, and what to do."""
    with control_database(config, data) as (settings, database):
        click.echo(setup_text(setup_of(database, settings, None, profile)))


@profiles.command()
@data_option
@config_option
@click.argument("profile", type=click.UUID)
@click.option("--until-active", is_flag=True, help="Go on looking until it is active.")
@click.option("--wait", type=click.FloatRange(0), default=60.0, show_default=True, metavar="SECONDS", help="At most.")
def verify(data: Path, config: Path | None, profile: UUID, *, until_active: bool, wait: float) -> None:
    """Have a profile looked at now, by the core that runs, and show what was seen.

    Exit code 0 when it is active, else 1.
    """
    with control_database(config, data) as (settings, database):
        setup = setup_of(database, settings, None, profile)
        before = seen = setup.checked_at
        request_check(database, SYSTEM, None, profile)
        end = time.monotonic() + wait
        while time.monotonic() < end:
            time.sleep(_ASK_SECONDS)
            setup = setup_of(database, settings, None, profile)
            if setup.checked_at == seen:
                continue
            seen = setup.checked_at
            click.echo(summary(setup), err=True)
            if setup.profile.state is ProfileState.ACTIVE or not until_active:
                break
        if seen == before:
            raise click.ClickException("nobody has looked at it: is `waypost up` running on this database?")
    click.echo(setup_text(setup))
    if setup.profile.state is not ProfileState.ACTIVE:
        raise click.exceptions.Exit(1)


@profiles.command()
@data_option
@config_option
@click.argument("profile", type=click.UUID)
@click.option("--yes", is_flag=True, help="Do not ask.")
def delete(data: Path, config: Path | None, profile: UUID, *, yes: bool) -> None:
    """Delete a profile. Nothing is sent with it any more, and messages that wait end as rejected.

    Links that were sent go on working, on their link domain.
    """
    with control_database(config, data) as (settings, database):
        found = find_profile(database, None, profile)
        if not yes:
            click.confirm(f"Delete {found.profile_name}, which sends for {found.sending_domain}?", abort=True)
        delete_profile(database, SYSTEM, None, profile)
        click.echo(f"{profile} is deleted. {publish(settings, database)}")


@profiles.command("list")
@data_option
@config_option
@click.argument("account")
def list_(data: Path, config: Path | None, account: str) -> None:
    """List an account's profiles, oldest first."""
    with control_database(config, data) as (_, database):
        found = list_profiles(database, named_account(database, account))
    table(
        ("ID", "STATE", "SENDING DOMAIN", "LINK DOMAIN", "NAME"),
        [
            (str(profile.public_id), profile.state, profile.sending_domain, profile.link_domain, profile.profile_name)
            for profile in found
        ],
    )
