"""HTTPS in front of a real edge: Caddy as we ship it, Pebble, which is an ACME authority for tests, and a visitor.

Everything is on loopback: fronts under one name have the same ports at different addresses, and the authority's DNS
says which name is at which of them.
"""

import contextlib
import json
import os
import re
import socket
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from tests.debian import require
from tests.ports import free_ports

from torture.processes import Install
from waypost.cli.caddyfile import Front, caddyfile_of
from waypost.config import load
from waypost.fleet.snapshot import PublishedDomain, Snapshot
from waypost.keyfile.snapshot import load_snapshot, snapshot_path, write_snapshot

LOOPBACK = "127.0.0.1"
WAIT_SECONDS = 30.0
VISIT_SECONDS = 20.0
"""A first visit waits for its certificate."""
DAY_SECONDS = 86_400
_ORDER = re.compile(rb'Added order "')


class NotComeError(Exception):
    """What was waited for did not come."""


def wait_for(condition: Callable[[], object], what: str, seconds: float = WAIT_SECONDS) -> None:
    """Return once it is so.

    Raises:
        NotComeError: it is not within `seconds`.
    """
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise NotComeError(f"{what}: not within {seconds:g} s")
        time.sleep(0.05)


def listens(address: str, port: int) -> bool:
    """Whether somebody does there."""
    with contextlib.suppress(OSError), socket.create_connection((address, port), 1):
        return True
    return False


@dataclass(frozen=True)
class Site:
    """Where a front listens, and what a visitor of it does. Certificates are shown, not judged."""

    address: str
    http_port: int
    https_port: int

    @contextlib.contextmanager
    def connected(
        self, name: str, *protocols: str, source: str = LOOPBACK, seconds: float = VISIT_SECONDS
    ) -> Iterator[ssl.SSLSocket]:
        """A TLS connection to `name`, offering application protocols.

        Raises:
            ssl.SSLError: there is no certificate for the name.
            OSError: nobody answers.
        """
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        context.set_alpn_protocols(list(protocols or ("http/1.1",)))
        with (
            socket.create_connection((self.address, self.https_port), seconds, (source, 0)) as plain,
            context.wrap_socket(plain, server_hostname=name) as connection,
        ):
            yield connection

    def get(self, name: str, path: str, headers: str = "", *, source: str = LOOPBACK) -> bytes:
        """The whole answer to a request over HTTPS; `headers` are lines, each with its end. Raises as `connected`."""
        with self.connected(name, source=source) as connection:
            connection.sendall(_request(name, path, headers))
            return b"".join(iter(lambda: connection.recv(65_536), b""))

    def get_plain(self, name: str, path: str) -> bytes:
        """The same without TLS."""
        with socket.create_connection((self.address, self.http_port), VISIT_SECONDS) as connection:
            connection.sendall(_request(name, path, ""))
            return b"".join(iter(lambda: connection.recv(65_536), b""))

    def certificate(self, name: str, *, seconds: float = VISIT_SECONDS) -> x509.Certificate:
        """The one that a visitor of `name` is shown. Raises as `connected`."""
        with self.connected(name, seconds=seconds) as connection:
            shown = connection.getpeercert(binary_form=True)
        assert shown is not None
        return x509.load_der_x509_certificate(shown)

    def protocol(self, name: str) -> str | None:
        """What is spoken with a visitor that knows HTTP/2."""
        with self.connected(name, "h2", "http/1.1") as connection:
            return connection.selected_alpn_protocol()


def _request(name: str, path: str, headers: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: {name}\r\n{headers}Connection: close\r\n\r\n".encode("latin-1")


class Authority:
    """Pebble, and the DNS that it believes.

    Args:
        folder: for its files and its log.
        http_port: where it comes to check HTTP-01.
        https_port: where it comes to check TLS-ALPN-01.
        validity_seconds: of the certificates it issues.
        address: where it and its DNS listen, and where every name is that `resolve` was not told of.
        under: a command that runs it, such as `ip netns exec NAME`.
    """

    def __init__(
        self,
        folder: Path,
        http_port: int,
        https_port: int,
        *,
        validity_seconds: int = 90 * DAY_SECONDS,
        address: str = LOOPBACK,
        under: Sequence[str] = (),
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.log = folder / "authority.log"
        self.root = folder / "authority.pem"
        """Of its own HTTPS, not of what it issues: `acme_ca_root`."""
        self._key = folder / "authority.key"
        self._config = folder / "authority.json"
        self._address = address
        self._under = under
        self._port, self._management, self._dns, self._names = free_ports(4)
        self.directory = f"https://{address}:{self._port}/dir"
        self.processes: list[subprocess.Popen[bytes]] = []
        write_certificate(self.root, self._key, x509.IPAddress(ip_address(address)))
        self._config.write_text(
            json.dumps(
                {
                    "pebble": {
                        "listenAddress": f"{address}:{self._port}",
                        "managementListenAddress": f"{address}:{self._management}",
                        "certificate": str(self.root),
                        "privateKey": str(self._key),
                        "httpPort": http_port,
                        "tlsPort": https_port,
                        "ocspResponderURL": "",
                        "externalAccountBindingRequired": False,
                        "certificateValidityPeriod": validity_seconds,
                    }
                }
            )
        )

    def __enter__(self) -> Self:
        try:
            self.start()
        except NotComeError:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Return once it issues. Accounts and orders of an earlier start are forgotten, as Pebble keeps nothing."""
        dns, names = f"{self._address}:{self._dns}", f"{self._address}:{self._names}"
        off = [f"-{kind}=" for kind in ("http01", "https01", "tlsalpn01")]
        everywhere = [f"-defaultIPv4={self._address}", "-defaultIPv6="]
        challtestsrv = require("pebble", "pebble-challtestsrv")
        self._run([str(challtestsrv), *everywhere, *off, f"-dns01={dns}", f"-management={names}"])
        self._run([str(require("pebble", "pebble")), "-config", str(self._config), "-dnsserver", dns])
        wait_for(lambda: listens(self._address, self._port) and listens(self._address, self._names), "Pebble")

    def stop(self) -> None:
        """With SIGKILL."""
        for process in self.processes:
            process.kill()
            process.wait()
        self.processes.clear()

    def resolve(self, name: str, *addresses: str) -> None:
        """The name is at these IPv4 addresses from now on: the authority comes to one of them."""
        for path, body in (
            ("clear-a", {"host": name}),
            ("add-a", {"host": name, "addresses": list(addresses)}),
        ):
            request = urllib.request.Request(
                f"http://{self._address}:{self._names}/{path}", json.dumps(body).encode(), method="POST"
            )
            with urllib.request.urlopen(request, timeout=WAIT_SECONDS):
                pass

    def issuing_root(self) -> str:
        """The root of what it issues, as PEM: another one after each start."""
        ours = ssl.create_default_context(cafile=self.root)
        url = f"https://{self._address}:{self._management}/roots/0"
        with urllib.request.urlopen(url, context=ours, timeout=WAIT_SECONDS) as answer:
            return answer.read().decode()

    def trusted(self) -> ssl.SSLContext:
        """What a visitor has that trusts this authority, as it is since its last start."""
        return ssl.create_default_context(cadata=self.issuing_root())

    @property
    def orders(self) -> int:
        """How many there were."""
        return len(_ORDER.findall(self.log.read_bytes()))

    def _run(self, command: list[str]) -> None:
        # Without its waits of some seconds, and without refusing good nonces: what is tested here is not the client's.
        environment = {"PEBBLE_VA_NOSLEEP": "1", "PEBBLE_WFE_NONCEREJECT": "0"}
        with self.log.open("ab") as output:
            process = subprocess.Popen(
                [*self._under, *command], env=os.environ | environment, stdout=output, stderr=output
            )
        self.processes.append(process)


def write_certificate(certificate: Path, key: Path, name: x509.GeneralName) -> None:
    """A self-signed one for `name`, and its key, as PEM."""
    secret = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(secret.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=30))
        .add_extension(x509.SubjectAlternativeName([name]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(secret, hashes.SHA256())
    )
    certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    key.write_bytes(
        secret.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )


class CaddyFront:
    """Caddy with the configuration that `waypost caddyfile` prints, before the edge of an install.

    Args:
        install: its edge and agent are started by somebody else.
        authority: of its certificates.
        site: where it listens.
        options: more for the Caddyfile; without any, Caddy's socket for reloads is left out.
        under: a command that runs it, such as `ip netns exec NAME`.
    """

    def __init__(
        self,
        install: Install,
        authority: Authority,
        site: Site,
        *,
        options: Front | None = None,
        under: Sequence[str] = (),
    ) -> None:
        self.site = site
        self.folder = install.folder / f"caddy-{site.address}"
        self.folder.mkdir(exist_ok=True)
        self.log = self.folder / "caddy.log"
        self._under = under
        self._process: subprocess.Popen[bytes] | None = None
        given = options or Front(admin="off")
        front = replace(
            given,
            acme_directory=authority.directory,
            acme_root=str(authority.root),
            storage=given.storage or str(self.folder / "certificates"),
            http_port=site.http_port,
            https_port=site.https_port,
        )
        text = caddyfile_of(load(None, install.settings, install.data), front)
        self.caddyfile = self.folder / "Caddyfile"
        self.caddyfile.write_text(text.replace("{\n", f"{{\n\tdefault_bind {site.address}\n", 1))

    def __enter__(self) -> Self:
        try:
            self.start()
        except NotComeError:
            self.kill()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def start(self) -> None:
        """Return once it listens."""
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(self._command("run"), env=self._environment, stdout=output, stderr=output)
        wait_for(lambda: listens(self.site.address, self.site.https_port), f"Caddy ({self.log})")

    def reload(self) -> None:
        """As `systemctl reload` does; needs an `admin` of the options."""
        subprocess.run(self._command("reload", "--force"), env=self._environment, check=True, capture_output=True)

    def kill(self) -> None:
        """With SIGKILL."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _command(self, *words: str) -> list[str]:
        caddy = str(require("caddy", "caddy"))
        return [*self._under, caddy, *words, "--adapter", "caddyfile", "--config", str(self.caddyfile)]

    @property
    def _environment(self) -> dict[str, str]:
        home = dict.fromkeys(("HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME"), str(self.folder))
        return os.environ | home


def publish(install: Install, *names: str) -> None:
    """Have a snapshot with exactly these link domains, as control does; return once the agent answers by it."""
    path = snapshot_path(install.data)
    held = load_snapshot(path, install.keyring)
    domains: Mapping[str, PublishedDomain] = {name: PublishedDomain(f"https://www.{name}/", name) for name in names}
    write_snapshot(path, Snapshot(1 + (held.version if held else 0), datetime.now(UTC), domains), install.keyring)
    wanted = dict.fromkeys(held.link_domains if held else (), False) | dict.fromkeys(names, True)
    wait_for(
        lambda: all(may_be_had(install, name) is wanted[name] for name in wanted),
        "the agent's new snapshot",
    )


def may_be_had(install: Install, name: str) -> bool:
    """What the agent says of a certificate for a name."""
    url = f"http://{LOOPBACK}:{install.internal_port}/ask?domain={name}"
    try:
        with urllib.request.urlopen(url, timeout=WAIT_SECONDS):
            return True
    except urllib.error.HTTPError:
        return False
