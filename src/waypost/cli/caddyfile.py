"""`waypost caddyfile`: the TLS front's configuration for these settings."""

from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

import click

from waypost.cli.options import config_option, data_option, load_settings
from waypost.config import HostPort, Settings

_ANY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 -- compared with, not bound
DEFAULT_HTTP_PORT = 80
DEFAULT_HTTPS_PORT = 443


@dataclass(frozen=True, slots=True)
class Front:
    """What a Caddyfile says that is no setting of ours; empty: Caddy's default.

    Attributes:
        email: for the certificate authority.
        acme_directory: URL of another authority's ACME directory.
        acme_root: file of the root certificate of that authority's own server.
        storage: directory of certificates: shared by several fronts under one name.
        http_port: of plain HTTP.
        https_port: of HTTPS.
    """

    email: str = ""
    acme_directory: str = ""
    acme_root: str = ""
    storage: str = ""
    http_port: int = DEFAULT_HTTP_PORT
    https_port: int = DEFAULT_HTTPS_PORT


@click.command()
@data_option
@config_option
@click.option("--email", default="", help="Where the certificate authority writes to.")
@click.option(
    "--acme-directory", default="", metavar="URL", help="Another certificate authority than Caddy's own choice."
)
@click.option("--acme-root", default="", metavar="FILE", help="Root certificate of that authority's own server.")
@click.option("--storage", default="", metavar="DIR", help="Where certificates are; one directory for several fronts.")
@click.option("--http-port", default=DEFAULT_HTTP_PORT, show_default=True, help="Of plain HTTP.")
@click.option("--https-port", default=DEFAULT_HTTPS_PORT, show_default=True, help="Of HTTPS.")
def caddyfile(
    data: Path,
    config: Path | None,
    *,
    email: str,
    acme_directory: str,
    acme_root: str,
    storage: str,
    http_port: int,
    https_port: int,
) -> None:
    """Print a Caddyfile for the edge of these settings: HTTPS for every link domain, with certificates by themselves.

    Caddy asks the agent on this machine for which names a certificate may be had: the published link domains.
    """
    front = Front(email, acme_directory, acme_root, storage, http_port, https_port)
    click.echo(caddyfile_of(load_settings(config, data), front), nl=False)


def caddyfile_of(settings: Settings, front: Front) -> str:
    """The text, for Caddy 2.6 and later."""
    options = [
        ("email", front.email),
        ("acme_ca", front.acme_directory),
        ("acme_ca_root", front.acme_root),
        ("storage", f"file_system {front.storage}" if front.storage else ""),
        ("http_port", front.http_port if front.http_port != DEFAULT_HTTP_PORT else ""),
        ("https_port", front.https_port if front.https_port != DEFAULT_HTTPS_PORT else ""),
    ]
    said = "".join(f"\t{name} {value}\n" for name, value in options if value)
    port = "" if front.https_port == DEFAULT_HTTPS_PORT else f":{front.https_port}"
    return _TEMPLATE.format(
        options=said,
        ask=_reachable(settings.edge.internal_listen),
        edge=_reachable(settings.edge.listen),
        port=port,
        http=f"http://:{front.http_port}" if front.http_port != DEFAULT_HTTP_PORT else "http://",
        https=f"https://:{front.https_port}" if front.https_port != DEFAULT_HTTPS_PORT else "https://",
    )


def _reachable(listen: HostPort) -> str:
    """Where something that listens there is reached on this machine."""
    host = _ANY_ADDRESS.get(listen.host, listen.host)
    try:
        return f"[{host}]:{listen.port}" if ip_address(host).version == 6 else f"{host}:{listen.port}"  # noqa: PLR2004
    except ValueError:
        return f"{host}:{listen.port}"


_TEMPLATE = """\
# The TLS front of Waypost, for Caddy 2.6 and later: waypost caddyfile > /etc/caddy/Caddyfile
{{
{options}\t# Nothing of the configuration can be changed, or read, while it runs.
\tadmin off
\ton_demand_tls {{
\t\t# A certificate is ordered only for a name that this says yes to: the published link domains.
\t\task http://{ask}/ask
\t}}
\tservers {{
\t\tprotocols h1 h2
\t\t# A client that trickles holds a connection no longer than this.
\t\ttimeouts {{
\t\t\tread_header 15s
\t\t\tread_body 15s
\t\t\twrite 30s
\t\t\tidle 75s
\t\t}}
\t\t# Cookies of a link domain's siblings arrive too.
\t\tmax_header_size 131072
\t}}
}}

{https} {{
\ttls {{
\t\ton_demand
\t}}
\theader -Server
\treverse_proxy {edge} {{
\t\t# An edge that is started again keeps nobody waiting for longer than it takes. Only a connection that could not be
\t\t# made is tried again: no click is sent twice.
\t\tlb_try_duration 5s
\t\tlb_try_interval 50ms
\t\t# Caddy itself says who the client is; what the client says of that is not passed on.
\t\theader_up X-Forwarded-For {{remote_host}}
\t\theader_up X-Forwarded-Host {{host}}
\t\theader_up -Forwarded
\t\ttransport http {{
\t\t\tdial_timeout 1s
\t\t\tresponse_header_timeout 10s
\t\t\t# Shorter than the edge's own 75 s, so that no request meets a connection that is being closed.
\t\t\tkeepalive 60s
\t\t\tkeepalive_idle_conns_per_host 512
\t\t}}
\t}}
}}

# Orders of certificates are answered before this; everything else goes to HTTPS.
{http} {{
\tredir https://{{host}}{port}{{uri}} 308
}}
"""
