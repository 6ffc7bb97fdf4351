"""Caddy: as we ship it, before a server; and as the browsers of those who ask, each on a new TLS connection."""

import contextlib
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

from bench.edge_load import HOST
from bench.edge_servers import NotMeasuredError, Server, running
from tests.debian import require
from tests.ports import free_ports

from waypost.cli.caddyfile import Front, caddyfile_of
from waypost.config import load

_BROWSERS = """
{{
	admin off
	auto_https off
}}
http://:{port} {{
	bind 127.0.0.1
	reverse_proxy {front} {{
		header_up Host {{host}}
		transport http {{
			tls_server_name {host}
			tls_insecure_skip_verify
			keepalive off
			versions 1.1
		}}
	}}
}}
"""
_ON_DEMAND = re.compile(r"\ttls \{\n\t\ton_demand\n\t\}\n")
_ADMIN = re.compile(r"^\tadmin .*\n", re.MULTILINE)


@contextlib.contextmanager
def front(folder: Path, cores: frozenset[int], origin: Server) -> Iterator[Server]:
    """Caddy as we ship it, before a server."""
    home = folder / f"front-{origin.url.rpartition(':')[2]}"
    home.mkdir()
    http_port, https_port = free_ports(2)
    certificate, key = _certificate(home)
    settings = load(None, {"WAYPOST_EDGE__LISTEN": origin.url.removeprefix("http://")}, home)
    shipped = caddyfile_of(settings, Front(http_port=http_port, https_port=https_port))
    configuration = home / "Caddyfile"
    configuration.write_text(with_certificate(shipped, certificate, key))
    with _caddy(f"Caddy before {origin.name}", configuration, https_port, cores) as pid:
        yield Server(origin.name, f"https://127.0.0.1:{https_port}", pid, log=origin.log, spool=origin.spool)


@contextlib.contextmanager
def browsers(folder: Path, cores: frozenset[int], front: Server) -> Iterator[Server]:
    """A second Caddy, of those who ask: it passes on each request on a new TLS connection, with a full handshake."""
    (port,) = free_ports(1)
    home = folder / f"browsers-{port}"
    home.mkdir()
    configuration = home / "Caddyfile"
    configuration.write_text(_BROWSERS.format(port=port, front=front.url, host=HOST))
    with _caddy(f"Caddy, asking {front.name}", configuration, port, cores) as pid:
        yield Server(front.name, f"http://127.0.0.1:{port}", pid, log=front.log, spool=front.spool)


@contextlib.contextmanager
def _caddy(name: str, configuration: Path, port: int, cores: frozenset[int]) -> Iterator[int]:
    home = configuration.parent
    command = [str(require("caddy", binary="caddy")), "run", "--adapter", "caddyfile", "--config", str(configuration)]
    at_home = {"HOME": str(home), "XDG_DATA_HOME": str(home), "XDG_CONFIG_HOME": str(home)}
    with running(name, command, port, home, cores, at_home) as pid:
        yield pid


def with_certificate(caddyfile: str, certificate: Path, key: Path) -> str:
    """The shipped Caddyfile, but with a certificate that is there already, and only for who is on this machine.

    Raises:
        NotMeasuredError: it is not the file that this knows.
    """
    for pattern, instead in (
        (_ON_DEMAND, f"\ttls {certificate} {key}\n"),
        (_ADMIN, "\tadmin off\n\tdefault_bind 127.0.0.1\n"),
    ):
        caddyfile, times = pattern.subn(instead, caddyfile)
        if times != 1:
            raise NotMeasuredError(f"there should be one {pattern.pattern!r}, not {times}:\n{caddyfile}")
    return caddyfile


def _certificate(folder: Path) -> tuple[Path, Path]:
    """ECDSA on P-256, as Caddy and certificate authorities choose by themselves, with its key."""
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    subprocess.run(
        [
            *(str(require("openssl", binary="openssl")), "req", "-x509", "-newkey", "ec", "-days", "2", "-nodes"),
            *("-pkeyopt", "ec_paramgen_curve:P-256", "-subj", f"/CN={HOST}", "-addext", f"subjectAltName=DNS:{HOST}"),
            *("-out", str(certificate), "-keyout", str(key)),
        ],
        check=True,
        capture_output=True,
    )
    return certificate, key
