"""Debian's Caddy in front of a real edge, and a certificate authority of its own: Pebble, whose DNS says 127.0.0.1."""

import contextlib
import json
import os
import socket
import ssl
import subprocess
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.request import urlopen

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from tests.debian import require
from torture.processes import Install, free_ports

from waypost.cli.caddyfile import Front, caddyfile_of
from waypost.config import load
from waypost.fleet.snapshot import PublishedDomain, Snapshot
from waypost.keyfile.snapshot import snapshot_path, write_snapshot

WAIT_SECONDS = 20


class Authority:
    """Pebble and its DNS."""

    def __init__(self, folder: Path, http_port: int, https_port: int) -> None:
        self.folder = folder
        self._http_port, self._https_port = http_port, https_port
        self.port, self._management, self._dns, self._challenges = free_ports(4)
        self.log = folder / "pebble.log"
        self.root = folder / "pebble.pem"
        self._processes: list[subprocess.Popen[bytes]] = []

    @property
    def directory(self) -> str:
        return f"https://localhost:{self.port}/dir"

    def start(self, validity_seconds: int = 90 * 86_400) -> None:
        """Issue certificates that are good for so long."""
        self._own_certificate()
        config = self.folder / "pebble.json"
        config.write_text(
            json.dumps(
                {
                    "pebble": {
                        "listenAddress": f"127.0.0.1:{self.port}",
                        "managementListenAddress": f"127.0.0.1:{self._management}",
                        "certificate": str(self.root),
                        "privateKey": str(self.folder / "pebble.key"),
                        "httpPort": self._http_port,
                        "tlsPort": self._https_port,
                        "ocspResponderURL": "",
                        "externalAccountBindingRequired": False,
                        "certificateValidityPeriod": validity_seconds,
                    }
                }
            )
        )
        names = [str(require("pebble", "pebble-challtestsrv")), "-defaultIPv4", "127.0.0.1", "-defaultIPv6", ""]
        off = ["-http01", "", "-https01", "", "-tlsalpn01", ""]
        self._run(
            [*names, *off, "-dns01", f"127.0.0.1:{self._dns}", "-management", f"127.0.0.1:{self._challenges}"], {}
        )
        self._run(
            [str(require("pebble", "pebble")), "-config", str(config), "-dnsserver", f"127.0.0.1:{self._dns}"],
            {"PEBBLE_VA_NOSLEEP": "1", "PEBBLE_WFE_NONCEREJECT": "0"},
        )
        wait_for(lambda: _listens(self.port), "Pebble")

    def issuing_root(self) -> Path:
        """File of the root that its certificates lead to, new at each start."""
        context = ssl.create_default_context(cafile=self.root)
        with urlopen(f"https://localhost:{self._management}/roots/0", context=context) as answer:
            path = self.folder / "issuing-root.pem"
            path.write_bytes(answer.read())
        return path

    def stop(self) -> None:
        for process in self._processes:
            process.kill()
            process.wait()

    def _run(self, command: list[str], environ: dict[str, str]) -> None:
        with self.log.open("ab") as output:
            self._processes.append(subprocess.Popen(command, env=os.environ | environ, stdout=output, stderr=output))

    def _own_certificate(self) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
        now = datetime.now(UTC)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=30))
            .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(key, hashes.SHA256())
        )
        self.root.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        (self.folder / "pebble.key").write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )


class Fronted:
    """An edge machine: workers and agent, with Caddy before them."""

    def __init__(self, install: Install, authority: Authority, http_port: int, https_port: int) -> None:
        self.install = install
        self.authority = authority
        self.http_port, self.https_port = http_port, https_port
        self.log = install.folder / "caddy.log"
        self._caddy: subprocess.Popen[bytes] | None = None
        self._version = 0

    def publish(self, *domains: str) -> None:
        """As control does."""
        self._version += 1
        known = {domain: PublishedDomain(f"https://www.{domain}/", domain) for domain in domains}
        snapshot = Snapshot(self._version, datetime.now(UTC), known)
        write_snapshot(snapshot_path(self.install.data), snapshot, self.install.keyring)
        time.sleep(1.5)  # the agent looks each half second

    def start_caddy(self) -> None:
        settings = load(None, self.install.settings, self.install.data)
        front = Front(
            acme_directory=self.authority.directory,
            acme_root=str(self.authority.root),
            storage=str(self.install.folder / "certificates"),
            http_port=self.http_port,
            https_port=self.https_port,
        )
        path = self.install.folder / "Caddyfile"
        path.write_text(caddyfile_of(settings, front))
        with self.log.open("ab") as output:
            self._caddy = subprocess.Popen(
                [require("caddy", "caddy"), "run", "--adapter", "caddyfile", "--config", path],
                env=os.environ | {"HOME": str(self.install.folder), "XDG_DATA_HOME": str(self.install.folder)},
                stdout=output,
                stderr=output,
            )
        wait_for(lambda: _listens(self.https_port), "Caddy")

    def stop_caddy(self) -> None:
        if self._caddy is not None:
            self._caddy.kill()
            self._caddy.wait()

    def certificate(self, name: str) -> x509.Certificate:
        """The certificate that a visitor of `name` is shown.

        Raises:
            ssl.SSLError: none.
        """
        with self._tls(name) as connection:
            return x509.load_der_x509_certificate(connection.getpeercert(binary_form=True))

    def get(self, name: str, path: str, headers: str = "") -> bytes:
        """The answer to a request of `name` over HTTPS; its certificate is not judged here."""
        with self._tls(name) as connection:
            request = f"GET {path} HTTP/1.1\r\nHost: {name}\r\n{headers}Connection: close\r\n\r\n"
            connection.sendall(request.encode())
            return b"".join(iter(lambda: connection.recv(65_536), b""))

    def plain(self, name: str, path: str) -> bytes:
        with socket.create_connection(("127.0.0.1", self.http_port), 10) as connection:
            connection.sendall(f"GET {path} HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n".encode())
            return b"".join(iter(lambda: connection.recv(65_536), b""))

    @contextlib.contextmanager
    def _tls(self, name: str, protocols: tuple[str, ...] = ("http/1.1",)):
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        context.set_alpn_protocols(list(protocols))
        with (
            socket.create_connection(("127.0.0.1", self.https_port), 20) as plain,
            context.wrap_socket(plain, server_hostname=name) as connection,
        ):
            yield connection

    def protocol(self, name: str) -> str | None:
        """What is spoken with a client that knows HTTP/2."""
        with self._tls(name, ("h2", "http/1.1")) as connection:
            return connection.selected_alpn_protocol()


def wait_for(condition, what: str, seconds: float = WAIT_SECONDS) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"{what} did not come"
        time.sleep(0.1)


def _listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


@pytest.fixture(scope="module")
def fronted(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fronted")
    http_port, https_port = free_ports(2)
    authority = Authority(folder, http_port, https_port)
    with Install(folder) as install:
        for process in (install.edge(), install.agent()):
            process.wait_ready()
        front = Fronted(install, authority, http_port, https_port)
        front.publish("links.example.com")
        try:
            authority.start()
            front.start_caddy()
            yield front
        finally:
            front.stop_caddy()
            authority.stop()
