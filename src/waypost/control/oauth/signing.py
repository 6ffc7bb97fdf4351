"""Access tokens: JWTs signed with a key that rotates and lies sealed in the database."""

import threading
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import jwt
from sqlalchemy import select
from sqlalchemy.orm import Session

from waypost.control.sources import Sources
from waypost.db import ControlKey, Database
from waypost.db.tables import SigningKey

# Who verifies is who signs, so a shared secret is enough; RFC 7518, section 3.2, asks for 256 bits with HS256.
ALGORITHM = "HS256"
SECRET_BYTES = 32
ISSUER = "waypost"
# A month bounds what a leaked secret is worth. Access tokens live a day at most, so the one before still verifies.
ROTATE_AFTER = timedelta(days=30)
# 2 MB of them.
REMEMBERED_TOKENS = 1024
_REQUIRED_CLAIMS = ("exp", "iss", "sid")


@dataclass(frozen=True, slots=True)
class _Key:
    key_id: str
    secret: bytes = field(repr=False)
    created_at: datetime


class SigningKeys:
    """The keys that sign and verify access tokens. Safe to share between threads; several processes may have one."""

    def __init__(self, database: Database, control_key: ControlKey, sources: Sources) -> None:
        self._database = database
        self._control_key = control_key
        self._sources = sources
        self._lock = threading.Lock()
        self._keys: dict[str, _Key] = {}
        self._newest: _Key | None = None
        self._verified: dict[str, dict[str, Any]] = {}

    def prepare(self) -> None:
        """Make or open the key to sign with, so that a wrong `control.key` shows at start and not at the first login.

        Raises:
            ControlKeyError: `control.key` does not open the signing keys.
        """
        self._current()

    def sign(self, claims: dict[str, Any]) -> str:
        """A JWT of `claims` (with `exp`, in unix seconds), issued by us.

        Raises:
            ControlKeyError: `control.key` does not open the signing keys.
        """
        key = self._current()
        return jwt.encode({**claims, "iss": ISSUER}, key.secret, algorithm=ALGORITHM, headers={"kid": key.key_id})

    def verify(self, token: str) -> dict[str, Any] | None:
        """The claims of a JWT of ours that has not expired, else None.

        Raises:
            ControlKeyError: `control.key` does not open the signing keys.
        """
        claims = self._verified.get(token)
        if claims is None:
            claims = self._verify(token)
            if claims is None:
                return None
            # An access token comes with each request, and its signature does not change.
            if len(self._verified) >= REMEMBERED_TOKENS:
                self._verified.clear()
            self._verified[token] = claims
        return claims if claims["exp"] > self._sources.now().timestamp() else None

    def _verify(self, token: str) -> dict[str, Any] | None:
        """The claims of a JWT of ours, expired or not."""
        try:
            key = self._by_id(str(jwt.get_unverified_header(token).get("kid", "")))
            if key is None:
                return None
            # PyJWT would look at the system's clock; ours is an argument.
            claims: dict[str, Any] = jwt.decode(
                token,
                key.secret,
                algorithms=[ALGORITHM],
                issuer=ISSUER,
                options={"require": list(_REQUIRED_CLAIMS), "verify_exp": False, "verify_iat": False},
            )
        except jwt.InvalidTokenError:
            return None
        return claims

    def _current(self) -> _Key:
        with self._lock:
            if self._newest is None or self._outworn(self._newest):
                self._newest = self._load_or_rotate()
            return self._newest

    def _outworn(self, key: _Key) -> bool:
        return self._sources.now() - key.created_at >= ROTATE_AFTER

    def _load_or_rotate(self) -> _Key:
        with self._database.writing() as session:
            row = session.scalars(
                select(SigningKey).where(SigningKey.retired_at.is_(None)).order_by(SigningKey.created_at.desc())
            ).first()
            if row is None or self._outworn(key := self._opened(row)):
                key = self._create(session, retire=row)
        self._keys[key.key_id] = key
        return key

    def _create(self, session: Session, retire: SigningKey | None) -> _Key:
        now = self._sources.now()
        if retire is not None:
            retire.retired_at = now
        key = _Key(self._sources.ksuid(now), self._sources.random_bytes(SECRET_BYTES), now)
        session.add(
            SigningKey(
                key_id=key.key_id,
                sealed_secret=self._control_key.seal(key.secret, _purpose(key.key_id)),
                created_at=now,
            )
        )
        return key

    def _by_id(self, key_id: str) -> _Key | None:
        # What cannot be one of ours is not looked for: a database takes NUL or half a surrogate pair for a fault.
        if not (key_id.isascii() and key_id.isalnum()):
            return None
        with self._lock:
            if known := self._keys.get(key_id):
                return known
        with self._database.reading() as session:
            row = session.get(SigningKey, key_id)
        if row is None:
            return None
        key = self._opened(row)
        with self._lock:
            self._keys[key_id] = key
        return key

    def _opened(self, row: SigningKey) -> _Key:
        return _Key(row.key_id, self._control_key.open(row.sealed_secret, _purpose(row.key_id)), row.created_at)


def _purpose(key_id: str) -> str:
    return f"signing-key {key_id}"
