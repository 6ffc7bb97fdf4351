"""DKIM keys of sending profiles, and the DNS records that publish them (RFC 6376, RFC 8463)."""

import logging
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from sqlalchemy import select
from sqlalchemy.orm import Session

from waypost.control.sources import Sources
from waypost.db import ControlKey, Database
from waypost.db.dkim_keys import seal_private_key
from waypost.db.states import DkimAlgorithm
from waypost.db.tables import DkimKey, Profile

_log = logging.getLogger(__name__)

_SEED_BYTES = 32  # RFC 8032, section 5.1.5


@dataclass(frozen=True, slots=True)
class DkimRecord:
    """A TXT record that publishes a key.

    Attributes:
        name: full name, without final dot.
        value: the whole text. An RSA key's is over 255 characters, so in DNS it takes two strings or more, which
            readers join without anything between them (RFC 6376, section 3.6.2.2).
        algorithm: of the key.
        seen: the checks have seen it and have not found it gone since.
    """

    name: str
    value: str
    algorithm: DkimAlgorithm
    seen: bool = False


def dkim_record(sending_domain: str, key: DkimKey) -> DkimRecord:
    """The record that publishes `key` for a sending domain (A-labels)."""
    return DkimRecord(
        f"{key.selector}._domainkey.{sending_domain}",
        f"v=DKIM1; k={key.algorithm}; p={key.public_key}",
        key.algorithm,
        key.seen_at is not None,
    )


def dkim_keys(session: Session, profile: int) -> Sequence[DkimKey]:
    """The keys of the profile with this number, RSA first."""
    return session.scalars(select(DkimKey).where(DkimKey.profile == profile).order_by(DkimKey.number)).all()


def new_dkim_keys(sources: Sources, control_key: ControlKey) -> list[DkimKey]:
    """An RSA and an Ed25519 key, whose `profile` is still to be set.

    The RSA key takes a tenth of a second or a few: make them before a transaction begins.
    """
    rsa = sources.rsa_private_key()
    ed25519 = Ed25519PrivateKey.from_private_bytes(sources.random_bytes(_SEED_BYTES))
    # RFC 8463, section 4: not the SubjectPublicKeyInfo that RFC 6376 has for RSA.
    bare = ed25519.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    spki = rsa.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return [
        _row(sources, control_key, DkimAlgorithm.RSA, rsa, spki),
        _row(sources, control_key, DkimAlgorithm.ED25519, ed25519, bare),
    ]


def add_missing_dkim_keys(database: Database, sources: Sources, control_key: ControlKey) -> None:
    """Give keys to the profiles that have none, those of a release before there were any; for one caller at a time."""
    has_none = ~select(DkimKey.number).where(DkimKey.profile == Profile.number).exists()
    without = select(Profile.number).where(Profile.deleted_at.is_(None), has_none)
    with database.reading() as session:
        numbers = session.scalars(without.order_by(Profile.number)).all()
    for number in numbers:
        keys = new_dkim_keys(sources, control_key)
        with database.writing() as session:
            add_dkim_keys(session, number, keys)
        _log.info("made the DKIM keys of profile %d", number)


def add_dkim_keys(session: Session, profile: int, keys: list[DkimKey]) -> None:
    """Store keys made by `new_dkim_keys()` as those of the profile with this number."""
    for key in keys:
        key.profile = profile
    session.add_all(keys)


def _row(
    sources: Sources,
    control_key: ControlKey,
    algorithm: DkimAlgorithm,
    private_key: RSAPrivateKey | Ed25519PrivateKey,
    published: bytes,
) -> DkimKey:
    now = sources.now()
    # Lower case keeps 100 of a KSUID's random bits and more: none comes twice.
    selector = sources.ksuid(now).lower()
    pkcs8 = private_key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    return DkimKey(
        algorithm=algorithm,
        selector=selector,
        sealed_private_key=seal_private_key(control_key, selector, pkcs8),
        public_key=b64encode(published).decode(),
        created_at=now,
    )
