"""`waypost link-domains`: the domains that edges answer for by name."""

from datetime import datetime
from pathlib import Path

import click

from waypost.cli.control_database import control_database, named_account
from waypost.cli.options import config_option, data_option
from waypost.cli.publish import publish
from waypost.cli.tables import table
from waypost.control.errors import NotFoundError
from waypost.control.publishing.link_domains import list_link_domains, publish_link_domain, release_link_domain
from waypost.control.sources import SYSTEM


@click.group("link-domains")
def link_domains() -> None:
    """List, publish and release link domains.

    A link domain belongs to the account that DNS proves it to be of. Once it leads here it is published: every edge
    knows it, a certificate is had at the first visit, and its bare address leads to the profile's default redirect. It
    is never withdrawn by itself: links outlive profiles, accounts and mistakes in DNS.
    """


@link_domains.command("list")
@data_option
@config_option
def list_(data: Path, config: Path | None) -> None:
    """List link domains: whose each is, and since when edges know it."""
    with control_database(config, data) as (_, database):
        found = list_link_domains(database)
    table(
        ("DOMAIN", "ACCOUNT", "PROVEN", "PUBLISHED"),
        [(each.domain, account.email, _when(each.proven_at), _when(each.published_at)) for each, account in found],
    )


@link_domains.command("publish")
@data_option
@config_option
@click.argument("domain")
@click.option("--account", help="Whose it is, where several accounts have a profile on it: id or e-mail address.")
def publish_(data: Path, config: Path | None, domain: str, account: str | None) -> None:
    """Give DOMAIN to its account and tell edges of it, on your word instead of what DNS proves.

    Its DNS must point at the edges already: a certificate that is asked for before that cannot be had.
    """
    with control_database(config, data) as (settings, database):
        owner = named_account(database, account) if account else None
        try:
            publish_link_domain(database, SYSTEM, domain.lower(), owner)
        except NotFoundError as error:
            raise click.ClickException(
                f"{error}: {domain}. A profile names it first: waypost profiles create … --link-domain {domain}"
            ) from error
        click.echo(f"{domain} is published. {publish(settings, database)}")


@link_domains.command()
@data_option
@config_option
@click.argument("domain")
@click.option("--yes", is_flag=True, help="Do not ask.")
def release(data: Path, config: Path | None, domain: str, *, yes: bool) -> None:
    """Take DOMAIN from its account: another one may claim it, and no certificate for it is had any more.

    Links already sent on it go on redirecting for as long as its DNS points here and its certificate is valid.
    """
    with control_database(config, data) as (settings, database):
        if not yes:
            click.confirm(f"Without a certificate the links sent on {domain} end. Release it?", abort=True)
        try:
            release_link_domain(database, SYSTEM, domain.lower())
        except NotFoundError as error:
            raise click.ClickException(f"{error}: {domain}") from error
        click.echo(f"{domain} is released. {publish(settings, database)}")


def _when(at: datetime | None) -> str:
    return f"{at:%Y-%m-%d %H:%M}" if at else "no"
