"""`waypost caddyfile`: the TLS front's configuration for these settings."""

import re
from dataclasses import dataclass, replace
from ipaddress import ip_address
from pathlib import Path

import click

from waypost.cli.options import config_option, data_option, load_settings
from waypost.config import ForwardedHeader, HostPort, Settings
from waypost.links.errors import InvalidPayload
from waypost.links.payload import check_link_domain

HTTP_PORT = 80
HTTPS_PORT = 443
ADMIN = "unix//var/lib/caddy/admin.sock"
"""In the home of the user that Caddy's packages make, Debian's and its own."""
_ANY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 -- compared with, not bound
_PLAIN = re.compile(r"[A-Za-z0-9@%+=:./_\[\]-]+")
# A Caddyfile is code: braces open blocks and placeholders, and quotes and backslashes end or escape a quoted word.
_REFUSED = re.compile(r'[\x00-\x1f\x7f{}"`\\]')
_port = click.IntRange(1, 65_535)


@dataclass(frozen=True, slots=True)
class Front:
    """What a Caddyfile says that is no setting of ours; empty: Caddy's default, or nothing.

    Attributes:
        email: for the certificate authority.
        acme_directory: URL of another authority's ACME directory.
        acme_root: file of the root certificate of that authority's own server.
        storage: directory of certificates: shared by several fronts under one name.
        challenge_peer: where the other front under these names, with a storage of its own, listens for plain HTTP.
        api: the name under which the core's API is served.
        http_port: of plain HTTP.
        https_port: of HTTPS.
        admin: where Caddy is told to load its configuration again.
    """

    email: str = ""
    acme_directory: str = ""
    acme_root: str = ""
    storage: str = ""
    challenge_peer: str = ""
    api: str = ""
    http_port: int = HTTP_PORT
    https_port: int = HTTPS_PORT
    admin: str = ADMIN


def _is_host_name(text: str) -> bool:
    """As of a link domain, in any letter case: the bare install prints a Caddyfile too, and has not the API's rules."""
    try:
        check_link_domain(text.lower())
    except InvalidPayload:
        return False
    return text.isascii()  # of letters beyond, some have a lower case that is


def _email(_: click.Context, __: click.Parameter, value: str) -> str:
    local, _at, domain = value.partition("@")
    if value and not (local and _is_host_name(domain)):
        raise click.BadParameter(f"must be an e-mail address, as ops@example.com, not {value!r}")
    return value


def _api_name(_: click.Context, __: click.Parameter, value: str) -> str:
    if value and not _is_host_name(value):
        raise click.BadParameter(f"must be a host name alone, as core.example.com, not {value!r}")
    return value


@click.command()
@data_option
@config_option
@click.option(
    "--email", default="", metavar="ADDRESS", callback=_email, help="Where the certificate authority writes to."
)
@click.option("--api", default="", metavar="NAME", callback=_api_name, help="Serve the API too, under this name.")
@click.option("--storage", default="", metavar="DIR", help="Where certificates are; one place for several fronts.")
@click.option(
    "--challenge-peer",
    default="",
    metavar="HOST",
    help="The other machine under the same names: what the authority asks of it is passed on to it.",
)
@click.option("--acme-directory", default="", metavar="URL", help="Another authority than Caddy's own choice.")
@click.option("--acme-root", default="", metavar="FILE", help="Root certificate of that authority's own server.")
@click.option("--http-port", type=_port, default=HTTP_PORT, show_default=True, metavar="N", help="Of plain HTTP.")
@click.option("--https-port", type=_port, default=HTTPS_PORT, show_default=True, metavar="N", help="Of HTTPS.")
def caddyfile(
    data: Path,
    config: Path | None,
    *,
    email: str,
    api: str,
    storage: str,
    challenge_peer: str,
    acme_directory: str,
    acme_root: str,
    http_port: int,
    https_port: int,
) -> None:
    """Print a Caddyfile for the edge of these settings: HTTPS for every link domain, certificates by themselves.

    Caddy asks the agent on this machine for which names a certificate may be had: the published link domains.
    """
    front = Front(
        email=email,
        acme_directory=acme_directory,
        acme_root=acme_root,
        storage=storage,
        challenge_peer=challenge_peer,
        api=api,
        http_port=http_port,
        https_port=https_port,
    )
    click.echo(caddyfile_of(load_settings(config, data), front), nl=False)


def caddyfile_of(settings: Settings, front: Front) -> str:
    """The text, for Caddy 2.6 and later.

    Raises:
        click.ClickException: the edge would not believe Caddy who the client is.
        click.UsageError: a value cannot stand in a Caddyfile.
    """
    _check_trust(settings)
    options = [
        ("email", _word(front.email)),
        ("acme_ca", _word(front.acme_directory)),
        ("acme_ca_root", _word(front.acme_root)),
        ("storage file_system", _word(front.storage)),
        ("http_port", "" if front.http_port == HTTP_PORT else str(front.http_port)),
        ("https_port", "" if front.https_port == HTTPS_PORT else str(front.https_port)),
    ]
    # An address without a host is its scheme and, unless that is the scheme's own, a port.
    http_port = "" if front.http_port == HTTP_PORT else f":{front.http_port}"
    https_port = "" if front.https_port == HTTPS_PORT else f":{front.https_port}"
    return _TEMPLATE.format(
        options="".join(f"\t{name} {value}\n" for name, value in options if value),
        issuer=_ISSUER_HTTP_01 if front.challenge_peer else "",
        admin=_word(front.admin),
        ask=_word(f"http://{_reachable(settings.edge.internal_listen)}/ask"),
        edge=_word(str(_reachable(settings.edge.listen))),
        https=f"https://{https_port}",
        http=f"http://{http_port}",
        redirect=(_CHALLENGES_FIRST if front.challenge_peer else _REDIRECT).format(
            peer=_word(front.challenge_peer), https_port=https_port
        ),
        api=_API.format(
            api=_word(f"https://{front.api}{https_port}"), control=_word(str(_reachable(settings.control.listen)))
        )
        if front.api
        else "",
    )


def _word(text: str) -> str:
    """A text as one word of a Caddyfile."""
    if (refused := _REFUSED.search(text)) is not None:
        raise click.UsageError(f"{text!r} cannot stand in a Caddyfile: it contains {refused[0]!r}.")
    return text if _PLAIN.fullmatch(text) or not text else f'"{text}"'


def _reachable(listen: HostPort) -> HostPort:
    """Where something that listens there is reached on this machine."""
    return replace(listen, host=_ANY_ADDRESS.get(listen.host, listen.host))


def _check_trust(settings: Settings) -> None:
    """Refuse settings with which every click would have the address of Caddy."""
    if settings.edge.forwarded_header is not ForwardedHeader.X_FORWARDED_FOR:
        raise click.ClickException(
            'Caddy says who the client is in X-Forwarded-For: set edge.forwarded_header = "x-forwarded-for".'
        )
    try:
        # A connection to an address of this machine comes from that address.
        caddy = ip_address(_reachable(settings.edge.listen).host)
    except ValueError:
        return  # a name
    if not any(caddy in trusted.network for trusted in settings.edge.trusted_proxies):
        raise click.ClickException(
            f"Caddy connects to the edge from {caddy}, which edge.trusted_proxies does not list: every click would "
            "have that address. Add it."
        )


_TEMPLATE = """\
# The TLS front of Waypost, for Caddy 2.6 and later: waypost caddyfile > /etc/caddy/Caddyfile
{{
{options}{issuer}\
\t# What `systemctl reload caddy` speaks to: a socket that only Caddy's own user can open, not a port for everybody
\t# on this machine. Who has it has the certificates' keys.
\tadmin {admin}
\t# For requests under way at a reload or a stop; Debian's unit kills it a second later.
\tgrace_period 4s
\ton_demand_tls {{
\t\t# A certificate is ordered only for a name that this says yes to: the published link domains.
\t\task {ask}
\t}}
\tlog {{
\t\t# There is no access log, and what is logged of a request that failed says neither who nor which link.
\t\tformat filter {{
\t\t\twrap json
\t\t\tfields {{
\t\t\t\trequest delete
\t\t\t\tremote_ip delete
\t\t\t\tremote_port delete
\t\t\t}}
\t\t}}
\t}}
\tservers {{
\t\t# Not HTTP/3: a click is one request, and UDP would have to be let in for it.
\t\tprotocols h1 h2
\t\ttimeouts {{
\t\t\t# As the edge: a client that trickles holds a connection no longer. It is the limit of a handshake too: an order
\t\t\t# that takes longer goes on without the visitor.
\t\t\tread_header 15s
\t\t\t# Bodies are the API's: a large message, or a segment of an edge, over a slow line.
\t\t\tread_body 60s
\t\t\t# Longer than that and the minute in which the API stores a segment together.
\t\t\twrite 150s
\t\t\t# As the edge.
\t\t\tidle 75s
\t\t}}
\t\t# As the edge: cookies of a link domain's siblings arrive too.
\t\tmax_header_size 131072
\t}}
}}

# Every link domain.
{https} {{
\ttls {{
\t\ton_demand
\t}}
\theader {{
\t\t-Server
\t\t-Via
\t}}
\t# Who the client is, Caddy says in X-Forwarded-For in place of whatever the client said.
\treverse_proxy {edge} {{
\t\t# A reader who comes while all of the edge is started again waits for it; that takes seconds.
\t\tlb_try_duration 10s
\t\ttransport http {{
\t\t\t# The kernel asks again after 1 s and 3 s where a queue is full.
\t\t\tdial_timeout 5s
\t\t\t# A worker that is started again answers who waits in its queue, after it has recovered its spool.
\t\t\tresponse_header_timeout 30s
\t\t\t# Shorter than the edge's own 75 s, so that no request meets a connection that is being closed.
\t\t\tkeepalive 60s
\t\t\t# Clicks come in bursts: Caddy's own 32 would have connections made anew for most of one.
\t\t\tkeepalive_idle_conns_per_host 512
\t\t}}
\t}}
}}

# What the authority asks for an order is answered before this.
{http} {{
{redirect}}}
{api}"""

_REDIRECT = "\tredir https://{{host}}{https_port}{{uri}} 308\n"

_ISSUER_HTTP_01 = """\
\tcert_issuer acme {
\t\t# What the authority asks in this way comes without a request that could be passed on.
\t\tdisable_tlsalpn_challenge
\t}
"""

_CHALLENGES_FIRST = """\
\t# These names lead to another machine as well, and the authority comes to any: what it asks of the other is passed on,
\t# once.
\t@others {{
\t\tpath /.well-known/acme-challenge/*
\t\tnot header X-Waypost-Passed-On *
\t}}
\thandle @others {{
\t\treverse_proxy {peer} {{
\t\t\theader_up X-Waypost-Passed-On 1
\t\t\ttransport http {{
\t\t\t\tdial_timeout 5s
\t\t\t\tresponse_header_timeout 5s
\t\t\t}}
\t\t}}
\t}}
\thandle {{
\t\tredir https://{{host}}{https_port}{{uri}} 308
\t}}
"""

_API = """
# The API: for applications, and for edges on machines of their own.
{api} {{
\theader {{
\t\t-Server
\t\t-Via
\t}}
\treverse_proxy {control} {{
\t\tlb_try_duration 10s
\t\ttransport http {{
\t\t\tdial_timeout 5s
\t\t\t# An API that is started again closes what it kept open, and no send is tried twice: each has its own connection.
\t\t\tkeepalive off
\t\t}}
\t}}
}}
"""
