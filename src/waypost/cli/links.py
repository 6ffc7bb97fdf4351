"""`waypost links`: the rewriter on the command line."""

import json
import sys
from pathlib import Path
from uuid import UUID

import click

from waypost.cli.inspect import inspect
from waypost.cli.options import data_option, keyring_option
from waypost.cli.printable import one_line
from waypost.keyfile import KeyfileError, keyring_path, load_keyring
from waypost.links import Decision, Handling, Plan, Policy, Report, plan
from waypost.links.errors import InvalidPayload
from waypost.links.token import Privacy, Sealer, check_link_domain
from waypost.links.url import click_url, open_url


@click.group()
def links() -> None:
    """Rewrite a message's links, or see what a tracked link says."""


links.add_command(inspect)


@links.command()
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False, allow_dash=True))
@click.option("--link-domain", required=True, metavar="DOMAIN", help="Host name that the tracked links live on.")
@click.option(
    "--report",
    type=click.Choice(["json", "table"]),
    help="Print what was tracked, what was skipped and why, in place of the message. Needs no keyring.",
)
@click.option("--output", "-o", type=click.Path(path_type=Path, dir_okay=False), help="Write the message to this file.")
@click.option("--account", type=click.IntRange(0), default=0, help="Account number in the tokens.  [default: 0]")
@click.option("--profile", type=click.IntRange(0), default=0, help="Profile number in the tokens.  [default: 0]")
@click.option("--send-id", type=click.UUID, help="Send id (UUID version 7) in the tokens. Without: anonymous tokens.")
@click.option("--pixel", is_flag=True, help="Add the open pixel too.")
@click.option("--no-outlook", is_flag=True, help="Leave links in conditional comments for Outlook alone.")
@click.option("--utm", multiple=True, metavar="NAME=VALUE", help="Parameter for every tracked destination. Repeatable.")
@click.option(
    "--exclude-host", multiple=True, metavar="HOST", help="Leave links to it, and below it, alone. Repeatable."
)
@click.option(
    "--unsubscribe-url", multiple=True, metavar="URL", help="URL of List-Unsubscribe: left alone. Repeatable."
)
@click.option(
    "--skip-sensitive", is_flag=True, help="Leave links alone that look like one-time sign-in or reset links."
)
@click.option("--skip-visible-url", is_flag=True, help="Leave links alone whose text is itself a URL.")
@data_option
@keyring_option
def rewrite(
    *,
    file: Path,
    link_domain: str,
    report: str | None,
    output: Path | None,
    account: int,
    profile: int,
    send_id: UUID | None,
    pixel: bool,
    no_outlook: bool,
    utm: tuple[str, ...],
    exclude_host: tuple[str, ...],
    unsubscribe_url: tuple[str, ...],
    skip_sensitive: bool,
    skip_visible_url: bool,
    data: Path,
    keyring_file: Path | None,
) -> None:
    """Replace the links of an HTML message (FILE, or - for standard input) by tracked ones.

    Only the values of tracked links change, byte for byte. The message goes to standard output.

    \b
    Examples:
      waypost links rewrite newsletter.html --link-domain links.example.com --report table
      waypost links rewrite newsletter.html --link-domain links.example.com -o tracked.html

    \b
    Exit codes:
      0  done
      1  the message is not UTF-8, or the keyring cannot be read; the message says why
      2  wrong usage
    """  # noqa: D301 -- \b is click's mark for a paragraph that keeps its lines
    domain = link_domain.lower()
    try:
        check_link_domain(domain)
    except InvalidPayload as error:
        raise click.UsageError(str(error)) from error
    policy = Policy(
        outlook=not no_outlook,
        unsubscribe_urls=frozenset(unsubscribe_url),
        excluded_hosts=frozenset(host.lower() for host in exclude_host),
        sensitive=Handling.SKIP if skip_sensitive else Handling.TRACK,
        visible_url=Handling.SKIP if skip_visible_url else Handling.TRACK,
        utm=dict(map(_parameter, utm)),
    )
    planned = plan(_read(file), policy)
    if report is not None:
        _print_report(planned.report(), report)
    if report is None or output is not None:
        try:
            keyring = load_keyring(keyring_file or keyring_path(data))
            privacy = Privacy.ANONYMOUS if send_id is None else Privacy.IDENTIFIED
            sealer = Sealer(keyring, domain, account=account, profile=profile, privacy=privacy)
            message = _render(planned, sealer, f"https://{domain}", send_id, pixel=pixel)
        except KeyfileError as error:
            raise click.ClickException(str(error)) from error
        except InvalidPayload as error:
            raise click.UsageError(str(error)) from error
        _write(message, output)


def _parameter(written: str) -> tuple[str, str]:
    name, equals, value = written.partition("=")
    if not name or not equals:
        raise click.BadParameter(f"{written!r} is not NAME=VALUE", param_hint="--utm")
    return name, value


def _read(file: Path) -> str:
    content = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise click.ClickException(f"{file} is not UTF-8: byte {error.start} ({error.reason})") from error


def _render(planned: Plan, sealer: Sealer, origin: str, send_id: UUID | None, *, pixel: bool) -> str:
    return planned.render(
        lambda link: click_url(origin, sealer.click(send_id, link.index, link.destination)),
        pixel_url=open_url(origin, sealer.open(send_id)) if pixel else None,
    )


def _write(message: str, output: Path | None) -> None:
    content = message.encode("utf-8")
    if output is None:
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()
        return
    try:
        output.write_bytes(content)
    except OSError as error:
        raise click.ClickException(f"{output} cannot be written: {error.strerror}") from error


def _print_report(report: Report, form: str) -> None:
    if form == "json":
        click.echo(json.dumps(report, indent=2, ensure_ascii=False))
        return
    for link in report["links"]:
        decision = "tracked" if link["decision"] is Decision.TRACKED else f"skipped: {link['reason']}"
        place = f"{link['index']:>5}  {link['part']:8} {decision:25}"
        label = f"  [{one_line(link['name'] or link['text'])}]" if link["name"] or link["text"] else ""
        click.echo(f"{place} {one_line(link['destination'])}{label}")
    size = report["size"]
    twins = report["tracked"] - len({link["index"] for link in report["links"] if link["reason"] is None})
    click.echo(
        f"{report['tracked']} tracked{f' ({twins} of them twins for Outlook, which share an index)' if twins else ''}, "
        f"{report['skipped']} skipped; "
        f"{size['encoded_bytes']:,} bytes encoded"
        + ("; Gmail will clip it (over 102,400 bytes)" if size["clipped_by_gmail"] else "")
    )
