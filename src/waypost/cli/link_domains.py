"""`waypost link-domains`: the domains that edges answer for by name."""

from pathlib import Path

import click

from waypost.cli.control_database import control_database, table
from waypost.cli.options import config_option, data_option
from waypost.cli.publish import publish
from waypost.control.errors import NotFoundError
from waypost.control.publishing.link_domains import list_link_domains, publish_link_domain, release_link_domain
from waypost.control.sources import SYSTEM


@click.group("link-domains")
def link_domains() -> None:
    """List, publish and release link domains.

    A profile claims its link domain for its account. Published, it is known to every edge: a certificate is had at the
    first visit, and its bare address leads to the profile's default redirect. It is never withdrawn by itself: links
    outlive profiles, accounts and mistakes in DNS.
    """


@link_domains.command("list")
@data_option
@config_option
def list_(data: Path, config: Path | None) -> None:
    """List claimed link domains."""
    with control_database(config, data) as (_, database):
        found = list_link_domains(database)
    table(
        ("DOMAIN", "ACCOUNT", "PUBLISHED"),
        [
            (each.domain, account.email, f"{each.published_at:%Y-%m-%d %H:%M}" if each.published_at else "no")
            for each, account in found
        ],
    )


@link_domains.command("publish")
@data_option
@config_option
@click.argument("domain")
def publish_(data: Path, config: Path | None, domain: str) -> None:
    """Tell edges of DOMAIN, whose DNS must point at them: who asks for a certificate before that is refused one."""
    with control_database(config, data) as (settings, database):
        try:
            publish_link_domain(database, SYSTEM, domain.lower())
        except NotFoundError as error:
            raise click.ClickException(
                f"{error}: {domain}. A profile claims it first: waypost profiles create … --link-domain {domain}"
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
