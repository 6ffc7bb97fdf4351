"""`waypost profiles`: which domains may send, and where their links live."""

from pathlib import Path

import click

from waypost.cli.control_database import control_database, named_account, table
from waypost.cli.options import config_option, data_option
from waypost.control.profiles.schema import NewProfile
from waypost.control.profiles.service import create_profile, list_profiles
from waypost.control.sources import SYSTEM
from waypost.db import load_control_key
from waypost.db.states import AccountState, ProfileState

_NOT_ACTIVE = (
    "It is {state} and cannot send: this release does not check DNS yet, so only profiles on a development link "
    "domain (setting links.development_domains: {domains}) become active."
)


@click.group()
def profiles() -> None:
    """Create and list sending profiles.

    ACCOUNT is an account's id or e-mail address.
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
    """Create a profile and print its id.

    On a development link domain it is active at once; on any other it waits for its DNS records to be verified.
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
    click.echo(profile.public_id)
    if profile.state is not ProfileState.ACTIVE:
        domains = ", ".join(settings.links.development_domains) or "none"
        said = _NOT_ACTIVE.format(state=profile.state, domains=domains)
    elif owner.state is not AccountState.APPROVED:
        said = f"It is active; the account is {owner.state}: `waypost accounts approve {owner.email}` lets it send."
    else:
        said = f"It is active: messages from {profile.sending_domain} can be sent."
    click.echo(said, err=True)


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
