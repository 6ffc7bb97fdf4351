"""Relays, certificates and installs for tests of mail."""

import ipaddress
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from tests.integration.mail.install import Install, account_and_profile
from tests.integration.mail.scripted_relay import ScriptedRelay
from tests.ports import free_ports

from waypost.config import Secret, StartTls, load


@pytest.fixture
def relay():
    return ScriptedRelay()


@pytest.fixture
def unused_tcp_port():
    return free_ports(1)[0]


@pytest.fixture
def settings(tmp_path):
    """Settings of an install whose relay is at a port a test fills in."""
    loaded = load(None, {}, tmp_path)
    return msgspec.structs.replace(
        loaded, mail=msgspec.structs.replace(loaded.mail, starttls=StartTls.NEVER, hostname="waypost.test")
    )


@pytest.fixture
def install(database, settings, relay):
    """One approved account with one active profile."""
    account_and_profile(database)
    return Install(database, settings, relay)


@pytest.fixture
def mail_settings(settings):
    def change(**changes):
        if "password" in changes:
            changes["password"] = Secret(changes["password"])
        return msgspec.structs.replace(settings.mail, **changes)

    return change


@dataclass(frozen=True)
class Certificate:
    server: ssl.SSLContext
    """What the relay serves with."""
    trusting: ssl.SSLContext
    """A client that trusts it and nothing else."""
    pem: Path
    """Key and certificate."""


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    """Self-signed, for 127.0.0.1."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "relay.test")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = made.public_bytes(serialization.Encoding.PEM)
    path = tmp_path_factory.mktemp("tls") / "relay.pem"
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + pem
    )
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(path)
    return Certificate(server, ssl.create_default_context(cadata=pem.decode()), path)
