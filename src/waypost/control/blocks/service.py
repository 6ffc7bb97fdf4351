"""The kill switch: what is blocked, by whom, and why. Edges learn of it by the snapshot."""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from waypost.control.blocks.schema import NewBlock
from waypost.control.errors import InvalidFieldError, NotFoundError, OperatorsBlockError
from waypost.control.publishing.service import snapshot_changes
from waypost.control.sources import Sources
from waypost.db import Database, insert_new
from waypost.db.states import PrivacyMode
from waypost.db.tables import Account, Block, Profile, Send
from waypost.fleet.snapshot import BlockKind, destination_host, link_digest
from waypost.links.errors import InvalidPayload, TokenError
from waypost.links.keyring import KEY_IDS, Keyring
from waypost.links.token import Kind, Payload, check_destination, open_token
from waypost.links.url import parse_url

_SUBDOMAINS = "*."
_KEY_ID = re.compile(r"[0-9]{1,3}")
_HOST = re.compile(r"[^\s/?#@:\\%*\[\]]+|\[[0-9A-Fa-f:.]+\]")


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks for a block.

    Attributes:
        name: for the record: an e-mail address, or `cli`.
        account: whose links, sends and profiles are meant; None: an operator means anybody's.
    """

    name: str
    account: Account | None


@dataclass(frozen=True, slots=True)
class _Target:
    """What a block is about: in the words of the request, and in those of the snapshot."""

    value: str
    target: str
    account: int | None


def add_block(database: Database, sources: Sources, keyring: Keyring, asker: Asker, new: NewBlock) -> Block:
    """Block something; the block that is there already, when it is.

    A block of an operator takes the place of one that the owner of the thing has made, and could lift.

    Raises:
        InvalidFieldError: the value is not one of its kind, or only an operator may block that.
        NotFoundError: there is no such thing, or it is another account's.
    """
    if asker.account is not None and new.kind in _OPERATORS_ONLY:
        raise InvalidFieldError("kind", f"only an operator may block a{'n' * (new.kind == 'account')} {new.kind}")
    value = new.value.strip()
    if not value.isprintable():  # PostgreSQL takes a NUL in a text for an error
        raise InvalidFieldError("value", "must not hold control characters")
    with database.writing() as session:
        target = _TARGETS[new.kind](session, keyring, asker, value)
        return _hold(session, sources, new.kind, target, reason=new.reason, created_by=asker.name)


def block_account(session: Session, sources: Sources, account: Account, *, reason: str, created_by: str) -> Block:
    """Switch off every link of an account, in the caller's transaction; the block that is there already, when it is."""
    target = _Target(str(account.public_id), str(account.number), account.number)
    return _hold(session, sources, BlockKind.ACCOUNT, target, reason=reason, created_by=created_by)


def blocks_of_key(database: Database, key_id: int) -> list[str]:
    """The ids of the blocks, one at most, that switch off links sealed with a key."""
    block = _blocks(None).where(Block.kind == BlockKind.KEY, Block.target == str(key_id))
    with database.reading() as session:
        return [str(each.public_id) for each in session.scalars(block)]


def blocked_accounts(session: Session, accounts: Collection[int]) -> frozenset[int]:
    """The numbers of those of `accounts` whose links are all switched off."""
    blocks = select(Block.account).where(
        Block.kind == BlockKind.ACCOUNT, Block.account.in_(accounts), Block.removed_at.is_(None)
    )
    return frozenset(number for number in session.scalars(blocks) if number is not None)


def _hold(
    session: Session, sources: Sources, kind: BlockKind, target: _Target, *, reason: str, created_by: str
) -> Block:
    now = sources.now()
    row = Block(
        public_id=sources.public_id(),
        kind=kind,
        value=target.value,
        target=target.target,
        account=target.account,
        reason=reason,
        created_by=created_by,
        created_at=now,
    )
    there = select(Block).where(Block.kind == kind, Block.target == target.target, Block.removed_at.is_(None))
    while (block := insert_new(session, row)) is None:
        held = session.scalars(there.with_for_update()).one_or_none()
        if held is None:
            continue  # lifted just now
        if held.created_by == created_by or not _is_its_owners(session, held):
            return held
        held.removed_at, held.removed_by = now, created_by
        session.flush()
    snapshot_changes(session, now)
    return block


def _is_its_owners(session: Session, block: Block) -> bool:
    """Whether the owner of what is blocked has made this block, and so may lift it."""
    return block.account is not None and session.get_one(Account, block.account).email == block.created_by


def list_blocks(database: Database, account: Account | None) -> Sequence[Block]:
    """What is blocked now, oldest first: of an account or, for an operator (None), everything."""
    blocks = _blocks(account).order_by(Block.number)
    with database.reading() as session:
        return session.scalars(blocks).all()


def remove_block(database: Database, sources: Sources, asker: Asker, block_id: UUID) -> Block:
    """Lift a block. Who owns what is blocked may lift only what was blocked in its own name, not by an operator.

    Raises:
        NotFoundError: there is no such block, or it is none that the asker's list has.
        OperatorsBlockError: it is there, and an operator's.
    """
    now = sources.now()
    with database.writing() as session:
        held = _blocks(asker.account).where(Block.public_id == block_id).with_for_update()
        block = session.scalars(held).one_or_none()
        if block is None:
            raise NotFoundError("block")
        if asker.account is not None and block.created_by != asker.name:
            raise OperatorsBlockError
        block.removed_at, block.removed_by = now, asker.name
        snapshot_changes(session, now)
    return block


def _blocks(account: Account | None) -> Select[Block]:
    """What an account sees of what is blocked now; None: an operator, who sees everything."""
    blocks = select(Block).where(Block.removed_at.is_(None))
    if account is None:
        return blocks
    return blocks.where(Block.account == account.number, Block.kind.not_in(_OPERATORS_ONLY))


def _link(_: Session, keyring: Keyring, asker: Asker, value: str) -> _Target:
    """A tracked link of this install, or the URL that links of the asking account lead to."""
    account = asker.account.number if asker.account else None
    destination = value
    if (payload := _payload(value, keyring)) is not None:
        if account not in {None, payload.account}:
            raise NotFoundError("link")
        account, destination = payload.account, payload.destination
    if account is None:
        raise InvalidFieldError("value", "must be a tracked link of this install, or come with the account it is of")
    try:
        check_destination(destination)
    except InvalidPayload as error:
        raise InvalidFieldError("value", "must be a tracked link, or the URL it leads to") from error
    return _Target(destination, link_digest(account, destination), account)


def _payload(url: str, keyring: Keyring) -> Payload | None:
    """What a tracked link of this install says; None for any other URL."""
    tracked = parse_url(url)
    if tracked is None:
        return None
    try:
        return open_token(tracked.token, tracked.link_domain, keyring, kind=Kind.CLICK)
    except TokenError:
        return None


def _send(session: Session, _: Keyring, asker: Asker, value: str) -> _Target:
    send = session.get(Send, _uuid(value))
    if send is None or not _may(asker, send.account):
        raise NotFoundError("send")
    if send.privacy_mode is PrivacyMode.ANONYMOUS:
        raise InvalidFieldError("value", "is an anonymous send, which its links do not name: block them as kind link")
    return _Target(str(send.send_id), str(send.send_id), send.account)


def _profile(session: Session, _: Keyring, asker: Asker, value: str) -> _Target:
    profile = session.scalars(select(Profile).where(Profile.public_id == _uuid(value))).one_or_none()
    if profile is None or not _may(asker, profile.account):
        raise NotFoundError("profile")
    return _Target(str(profile.public_id), str(profile.number), profile.account)


def _account(session: Session, _: Keyring, __: Asker, value: str) -> _Target:
    wanted = Account.email == value if "@" in value else Account.public_id == _uuid(value)
    account = session.scalars(select(Account).where(wanted)).one_or_none()
    if account is None:
        raise NotFoundError("account")
    return _Target(str(account.public_id), str(account.number), account.number)


def _host(_: Session, __: Keyring, ___: Asker, value: str) -> _Target:
    name = value.removeprefix(_SUBDOMAINS)
    host = destination_host(f"https://{name}/") if _HOST.fullmatch(name) else ""
    if not host:
        raise InvalidFieldError("value", "must be a host like evil.example, or *.evil.example for its subdomains")
    found = value[: len(value) - len(name)] + host
    return _Target(found, found, None)


def _key(_: Session, keyring: Keyring, ___: Asker, value: str) -> _Target:
    if not _KEY_ID.fullmatch(value) or int(value) not in KEY_IDS:
        raise InvalidFieldError("value", f"must be a key id from {KEY_IDS[0]} to {KEY_IDS[-1]}")
    if int(value) not in keyring.ciphers:
        raise NotFoundError("key")
    if int(value) == keyring.minting.key_id:
        raise InvalidFieldError(
            "value",
            "is the key that seals new links, which would all be dead on arrival: promote another first "
            "(`waypost keys add`, then `waypost keys promote`)",
        )
    return _Target(str(int(value)), str(int(value)), None)


def _uuid(value: str) -> UUID:
    try:
        return UUID(value)
    except ValueError as error:
        raise InvalidFieldError("value", "must be an id like 019cb7d4-0d59-7000-8000-000000000001") from error


def _may(asker: Asker, owner: int) -> bool:
    return asker.account is None or asker.account.number == owner


_OPERATORS_ONLY = frozenset({BlockKind.ACCOUNT, BlockKind.HOST, BlockKind.KEY})
_TARGETS: Mapping[BlockKind, Callable[[Session, Keyring, Asker, str], _Target]] = {
    BlockKind.LINK: _link,
    BlockKind.SEND: _send,
    BlockKind.PROFILE: _profile,
    BlockKind.ACCOUNT: _account,
    BlockKind.HOST: _host,
    BlockKind.KEY: _key,
}
