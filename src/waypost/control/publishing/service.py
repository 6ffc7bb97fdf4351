"""The snapshot: what edges are told of the control database, made anew at every change."""

import asyncio
import logging
from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from waypost.config import Settings
from waypost.control.times import unix_ms
from waypost.db import Database, insert_new
from waypost.db.states import PrivacyMode
from waypost.db.tables import Block, LinkDomain, Profile, Send, SnapshotVersion
from waypost.fleet.snapshot import BlockKind, Blocks, PublishedDomain, Snapshot, encode_snapshot
from waypost.keyfile import KeyringOutdated, SnapshotUnwritable
from waypost.keyfile.file import file_stamp
from waypost.keyfile.snapshot import snapshot_path, write_snapshot
from waypost.links.keyring import Keyring
from waypost.telemetry.pause import pause

LOOK_SECONDS: Final = 0.5
"""With the two seconds of an edge elsewhere and the half of a worker, a block is in force within the five promised."""
_ONLY = 1
# What IN takes at once: SQLite has a limit of 32,766.
_AT_ONCE: Final = 1000

_log = logging.getLogger(__name__)


def snapshot_changes(session: Session, now: datetime) -> None:
    """To be called in the transaction of every change that edges are to learn of.

    The version is a time that only rises: a count alone would fall behind what edges have seen once the database is
    restored from a backup.
    """
    held = session.get(SnapshotVersion, _ONLY, with_for_update=True)
    if held is None:
        insert_new(session, SnapshotVersion(number=_ONLY, version=0, changed_at=now))
        held = session.get_one(SnapshotVersion, _ONLY, with_for_update=True)
    held.version, held.changed_at = max(held.version + 1, unix_ms(now)), now


def snapshot_version(database: Database) -> int:
    """Version of what is to be published; 0 before the first change."""
    with database.reading() as session:
        return session.scalars(select(SnapshotVersion.version)).one_or_none() or 0


def snapshot_of(
    database: Database, development_domains: Collection[str], now: datetime, pseudonym: Callable[[UUID], UUID]
) -> Snapshot:
    """What edges are to know now.

    Args:
        database: the control database.
        development_domains: the setting `links.development_domains`: published without being claimed.
        now: when nothing has ever changed, this is the version.
        pseudonym: what stands for a send id in pseudonymous mode.
    """
    with database.writing() as session:  # so that version and facts are of one moment on PostgreSQL too
        held = session.get(SnapshotVersion, _ONLY, with_for_update=True)
        if held is None:
            snapshot_changes(session, now)
            session.flush()
            held = session.get_one(SnapshotVersion, _ONLY)
        claims = session.scalars(select(LinkDomain).where(LinkDomain.published_at.is_not(None))).all()
        owners = dict.fromkeys(development_domains) | {claim.domain: claim.account for claim in claims}
        profiles = session.scalars(
            select(Profile).where(Profile.link_domain.in_(owners)).order_by(Profile.number)
        ).all()
        blocks = session.scalars(select(Block).where(Block.removed_at.is_(None))).all()
        sends = [UUID(block.target) for block in blocks if block.kind is BlockKind.SEND]
        return Snapshot(
            version=held.version,
            published_at=held.changed_at,
            link_domains={domain: _published(domain, owner, profiles) for domain, owner in owners.items()},
            blocks=_blocks(blocks, _in_tokens(session, sends, pseudonym)),
        )


def _published(domain: str, owner: int | None, profiles: Iterable[Profile]) -> PublishedDomain:
    """As its oldest profile says or, when all are deleted, the last one of them: links outlive profiles.

    Only those of its owner: a stranger's profile on it, which never becomes active, must not say where it leads. A
    development domain has none, and is everybody's.
    """
    on_it = [profile for profile in profiles if profile.link_domain == domain and owner in {None, profile.account}]
    profile = next((profile for profile in on_it if profile.deleted_at is None), on_it[-1] if on_it else None)
    if profile is None:
        return PublishedDomain()
    return PublishedDomain(profile.link_domain_default_redirect, profile.sending_domain)


def _in_tokens(session: Session, sends: Sequence[UUID], pseudonym: Callable[[UUID], UUID]) -> frozenset[UUID]:
    """What tokens of these sends call them: one of the two names, for together they would say who a pseudonym is.

    Of a send that is gone both: its id leads to nobody any more.
    """
    named: set[UUID] = set()
    for at in range(0, len(sends), _AT_ONCE):
        some = sends[at : at + _AT_ONCE]
        kept = select(Send.send_id, Send.privacy_mode).where(Send.send_id.in_(some))
        modes = {row.send_id: row.privacy_mode for row in session.execute(kept)}
        named |= {send_id for send_id in some if modes.get(send_id) is not PrivacyMode.PSEUDONYMOUS}
        named |= {
            pseudonym(send_id)
            for send_id in some
            if modes.get(send_id, PrivacyMode.PSEUDONYMOUS) is PrivacyMode.PSEUDONYMOUS
        }
    return frozenset(named)


def _blocks(blocks: Iterable[Block], sends: frozenset[UUID]) -> Blocks:
    targets: dict[BlockKind, set[str]] = {kind: set() for kind in BlockKind}
    for block in blocks:
        targets[block.kind].add(block.target)
    return Blocks(
        links=frozenset(targets[BlockKind.LINK]),
        sends=sends,
        profiles=frozenset(map(int, targets[BlockKind.PROFILE])),
        accounts=frozenset(map(int, targets[BlockKind.ACCOUNT])),
        hosts=frozenset(targets[BlockKind.HOST]),
        keys=frozenset(map(int, targets[BlockKind.KEY])),
    )


class Publisher:
    """Writes the snapshot file whenever what it says has changed, and has its bytes for edges elsewhere.

    Args:
        settings: `data` and `links` are used.
        database: the control database.
        keyring: the newest one: its minting key authenticates.
        now: aware UTC.
        pseudonym: what stands for a send id in pseudonymous mode.
    """

    def __init__(
        self,
        settings: Settings,
        database: Database,
        keyring: Callable[[], Keyring],
        now: Callable[[], datetime],
        *,
        pseudonym: Callable[[UUID], UUID],
    ) -> None:
        self._settings = settings
        self._database = database
        self._keyring = keyring
        self._now = now
        self._pseudonym = pseudonym
        self._path = snapshot_path(settings.data)
        self._published: tuple[int, int, object] | None = None
        """Version, key, and the file that was written."""
        self.version = 0
        self.data = b""
        """As `encode_snapshot` makes it; empty before the first `publish`."""

    def publish(self) -> bool:
        """Publish what is new. True when there was something.

        Raises:
            SQLAlchemyError: the database cannot be read.
            KeyringOutdated: the file there was made with a key that the keyring lacks. Edges elsewhere get what is new.
            SnapshotUnwritable: the file cannot be written; edges elsewhere get it all the same.
        """
        keyring = self._keyring()
        version = snapshot_version(self._database)
        if version and self._published == (version, keyring.minting.key_id, file_stamp(self._path)):
            return False
        domains = self._settings.links.development_domains
        snapshot = snapshot_of(self._database, domains, self._now(), self._pseudonym)
        self.data = encode_snapshot(snapshot, keyring)
        self.version = snapshot.version
        write_snapshot(self._path, snapshot, keyring)
        self._published = (snapshot.version, keyring.minting.key_id, file_stamp(self._path))
        return True

    async def run(self, stop: asyncio.Event) -> None:
        """Publish until `stop` is set; a database or a disk that fails is tried again."""
        failing = False
        while not stop.is_set():
            try:
                await asyncio.to_thread(self.publish)
                failing = False
            except (SQLAlchemyError, KeyringOutdated, SnapshotUnwritable) as error:
                if not failing:
                    _log.error("the snapshot is not published and will be tried again: %s", error)
                failing = True
            await pause(stop, LOOK_SECONDS)
