"""nginx and HAProxy as shipped, with certificates of their own, at addresses of a test."""

import contextlib
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from tests.debian import require
from torture.front import Site, listens, wait_for, write_certificate

SHIPPED = Path(__file__).parents[3] / "deploy"


@dataclass(frozen=True)
class Server:
    """A server, and what of its shipped configuration has another value here: addresses and paths."""

    package: str
    configuration: str
    check: Sequence[str]
    run: Sequence[str]
    here: Callable[[Path, Site], dict[str, str]]


SERVERS = {
    "nginx": Server(
        "nginx",
        "nginx.conf",
        check=("-t", "-c"),
        run=("-g", "daemon off;", "-c"),
        here=lambda folder, site: {
            "user www-data;": "",
            "/run/nginx.pid": f"{folder}/nginx.pid",
            "/var/log/nginx/": f"{folder}/",
            "/etc/ssl/waypost/": f"{folder}/",
            "listen 80 ": f"listen {site.address}:{site.http_port} ",
            "listen [::]:80 ": f"listen [::1]:{site.http_port} ",
            "listen 443 ": f"listen {site.address}:{site.https_port} ",
            "listen [::]:443 ": f"listen [::1]:{site.https_port} ",
        },
    ),
    "haproxy": Server(
        "haproxy",
        "haproxy.cfg",
        check=("-c", "-f"),
        run=("-db", "-f"),
        here=lambda folder, site: {
            "\tuser haproxy\n": "",
            "\tgroup haproxy\n": "",
            "bind :::80 v4v6": f"bind {site.address}:{site.http_port}",
            "bind :::443 v4v6": f"bind {site.address}:{site.https_port}",
            "/etc/haproxy/certificates": f"{folder}/both.pem",
        },
    ),
}


@contextlib.contextmanager
def running(server, edge_port, folder, site, domain):
    """The server, before an edge; its certificate is for `domain`."""
    write_certificate(folder / "fullchain.pem", folder / "key.pem", x509.DNSName(domain))
    both = (folder / "fullchain.pem").read_bytes() + (folder / "key.pem").read_bytes()
    (folder / "both.pem").write_bytes(both)
    text = (SHIPPED / server.configuration).read_text()
    for shipped, here in {
        "127.0.0.1:8026": f"127.0.0.1:{edge_port}",
        **server.here(folder, site),
    }.items():
        assert shipped in text, shipped
        text = text.replace(shipped, here)
    configuration = folder / server.configuration
    configuration.write_text(text)
    binary = require(server.package, server.package)
    checked = subprocess.run([binary, *server.check, configuration], check=False, capture_output=True, text=True)
    assert checked.returncode == 0, checked.stderr
    assert "warn" not in (checked.stdout + checked.stderr).lower(), checked.stderr
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([binary, *server.run, configuration], stdout=log, stderr=log)
    try:
        wait_for(lambda: listens(site.address, site.https_port), f"{server.package} ({folder / 'log'})")
        yield site
    finally:
        process.terminate()
        process.wait()
