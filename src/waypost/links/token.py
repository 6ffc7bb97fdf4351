"""Tokens: what a tracked link carries, sealed.

A token is its own record: kind, account, profile, send, link and destination travel in it, so that a redirect needs
nothing but the keyring. Wire format of version 1, for ever:

    text        base64url (RFC 4648, section 5) without padding of
    token       version (1 byte, 0x01) · key id (1 byte) · AES-SIV of the plaintext (RFC 5297; 16 bytes of tag first)
    bound to    the two header bytes, then the link domain (lower case, no port): two associated data strings
    plaintext   head (1 byte) · account (varint) · profile (varint) · send id (16 bytes; not when anonymous)
                and for a click: · link index (varint) · destination (`waypost.links.compression`, to the end)
    head        bit 0 kind · bits 1-2 privacy · bits 3-4 IP policy · bits 5-7 zero
    varint      LEB128, seven bits a byte, least significant first, no longer than needed, below 2**63

Sealing is deterministic: the same payload, key and link domain give the same text, on any machine.
"""

import binascii
import itertools
from functools import lru_cache
from typing import Final, NamedTuple
from uuid import UUID

from cryptography.exceptions import InvalidTag

from waypost.links.compression import compress, decompress
from waypost.links.destination import MAX_DESTINATION_BYTES
from waypost.links.errors import BadSeal, Malformed, UnknownKey
from waypost.links.ids import UUID_BYTES, uuid_of
from waypost.links.keyring import Keyring
from waypost.links.payload import (
    MAX_NUMBER,
    IpPolicy,
    Kind,
    Payload,
    Privacy,
    check_destination,
    check_link_domain,
    check_number,
    check_send_id,
)

__all__ = [
    "MAX_NUMBER",
    "MAX_TOKEN_CHARACTERS",
    "VERSION",
    "Header",
    "IpPolicy",
    "Kind",
    "Payload",
    "Privacy",
    "Sealer",
    "check_destination",
    "check_link_domain",
    "open_token",
    "read_header",
    "seal",
]

VERSION: Final = 1


def seal(payload: Payload, link_domain: str, keyring: Keyring) -> str:
    """The token of a payload, sealed with the minting key.

    Args:
        payload: what it says.
        link_domain: host name it will be served on, lower case, no port.
        keyring: its minting key seals.

    Raises:
        InvalidPayload: the link domain is not a lower-case host name.
    """
    sealer = Sealer(
        keyring,
        link_domain,
        account=payload.account,
        profile=payload.profile,
        privacy=payload.privacy,
        ip_policy=payload.ip_policy,
    )
    if payload.kind is Kind.OPEN:
        return sealer.open(payload.send_id)
    return sealer.click(payload.send_id, payload.link_index, payload.destination)


def open_token(text: str, link_domain: str, keyring: Keyring, *, kind: Kind | None = None) -> Payload:
    """What a token says, if it is one of ours for this link domain.

    Args:
        text: any text.
        link_domain: host name it was asked for on, lower case, no port.
        keyring: any of its keys opens.
        kind: when given, the only kind that opens here.

    Raises:
        Malformed: not a token; or a token of the other kind.
        UnknownKey: sealed with a key that is not in the keyring.
        BadSeal: altered, or sealed for another link domain or by someone else.
    """
    token = _decode(text)
    if token[0] != VERSION:
        raise Malformed(f"version {token[0]} is not known")
    cipher = keyring.ciphers.get(token[1])
    if cipher is None:
        raise UnknownKey(token[1])
    try:
        plaintext = cipher.decrypt(token[_HEADER_BYTES:], [token[:_HEADER_BYTES], _domain_bytes(link_domain)])
    except InvalidTag:
        raise BadSeal("the seal does not fit") from None
    payload = _parse(plaintext)
    if kind is not None and kind is not payload.kind:
        raise Malformed(f"a token of kind {payload.kind}, not {kind}")
    return payload


class Header(NamedTuple):
    """The two bytes before the sealed part."""

    version: int
    key_id: int


def read_header(text: str) -> Header:
    """What a token says of itself, for people: read without a key, so without proof.

    Raises:
        Malformed: not a token of any version.
    """
    return Header(*_decode(text)[:_HEADER_BYTES])


class Sealer:
    """Seals many tokens of one message: what does not change between recipients is computed once.

    Args:
        keyring: its minting key seals.
        link_domain: host name the links are served on, lower case, no port.
        account: number of the account.
        profile: number of the sending profile.
        privacy: of all tokens of this sealer.
        ip_policy: of all tokens of this sealer.

    Raises:
        InvalidPayload: a value that would not open.
    """

    def __init__(
        self,
        keyring: Keyring,
        link_domain: str,
        *,
        account: int,
        profile: int,
        privacy: Privacy = Privacy.IDENTIFIED,
        ip_policy: IpPolicy = IpPolicy.FULL,
    ) -> None:
        check_link_domain(link_domain)
        check_number("account", account)
        check_number("profile", profile)
        key = keyring.minting
        self._encrypt = keyring.ciphers[key.key_id].encrypt
        self._header = bytes((VERSION, key.key_id))
        self._bound_to = [self._header, link_domain.encode("ascii")]
        self._privacy = privacy
        numbers = _varint(account) + _varint(profile)
        self._click = bytes([_HEAD_BYTES[Kind.CLICK, privacy, ip_policy]]) + numbers
        self._open = bytes([_HEAD_BYTES[Kind.OPEN, privacy, ip_policy]]) + numbers
        self._links: dict[tuple[int, str], bytes] = {}

    def click(self, send_id: UUID | None, link_index: int, destination: str) -> str:
        """The token of one link for one send.

        Raises:
            InvalidPayload: a value that would not open.
        """
        link = self._links.get((link_index, destination))
        if link is None:
            link = self._links[link_index, destination] = _link_bytes(link_index, destination)
        return self._seal(self._click + self._send(send_id) + link)

    def open(self, send_id: UUID | None) -> str:
        """The token of the open pixel of one send.

        Raises:
            InvalidPayload: the send id is not a version 7 UUID, or must not be there.
        """
        return self._seal(self._open + self._send(send_id))

    def _send(self, send_id: UUID | None) -> bytes:
        check_send_id(send_id, self._privacy)
        return send_id.bytes if send_id else b""

    def _seal(self, plaintext: bytes) -> str:
        return _encode(self._header + self._encrypt(plaintext, self._bound_to))


# Do not reorder: the place of a value in these tables is its number on the wire.
_KINDS: Final = (Kind.CLICK, Kind.OPEN)
_PRIVACIES: Final = (Privacy.IDENTIFIED, Privacy.PSEUDONYMOUS, Privacy.ANONYMOUS)
_IP_POLICIES: Final = (IpPolicy.FULL, IpPolicy.TRUNCATED, IpPolicy.NONE)

_HEAD_BYTES: Final = {
    (kind, privacy, ip_policy): _KINDS.index(kind) | _PRIVACIES.index(privacy) << 1 | _IP_POLICIES.index(ip_policy) << 3
    for kind, privacy, ip_policy in itertools.product(_KINDS, _PRIVACIES, _IP_POLICIES)
}
_HEADS: Final = {byte: head for head, byte in _HEAD_BYTES.items()}

_HEADER_BYTES: Final = 2
_TAG_BYTES: Final = 16
_UUID_VERSION: Final = 7
_UUID_VARIANT: Final = 0b10
_VARINT_BYTES: Final = 9  # of MAX_NUMBER
_MIN_TOKEN_BYTES: Final = _HEADER_BYTES + _TAG_BYTES + len(b"\0\0\0")
_MAX_TOKEN_BYTES: Final = _HEADER_BYTES + _TAG_BYTES + 1 + 3 * _VARINT_BYTES + UUID_BYTES + MAX_DESTINATION_BYTES
MAX_TOKEN_CHARACTERS: Final = -(-_MAX_TOKEN_BYTES * 4 // 3)


def _link_bytes(link_index: int, destination: str) -> bytes:
    check_number("link_index", link_index)
    check_destination(destination)
    return _varint(link_index) + compress(destination)


def _parse(plaintext: bytes) -> Payload:
    """Every field is checked again here, so that a bug of a past sealer cannot become a bad header today.

    `_make` does not: numbers are in their bounds as `_read_varint` reads them, the other fields are looked at below.
    """
    try:
        kind, privacy, ip_policy = _HEADS[plaintext[0]]
        account, at = _read_varint(plaintext, 1)
        profile, at = _read_varint(plaintext, at)
        send_id, link_index, destination = None, 0, ""
        if privacy is not Privacy.ANONYMOUS:
            if plaintext[at + 6] >> 4 != _UUID_VERSION or plaintext[at + 8] >> 6 != _UUID_VARIANT:
                raise Malformed("the send id is not a version 7 UUID (RFC 9562, section 5.7)")
            send_id = uuid_of(plaintext[at : at + UUID_BYTES])
            at += UUID_BYTES
        if kind is Kind.CLICK:
            link_index, at = _read_varint(plaintext, at)
            destination = _destination(plaintext[at:])
            at = len(plaintext)
        if at != len(plaintext):
            raise Malformed("more follows the last field")
        return Payload._make((kind, account, profile, link_index, destination, send_id, privacy, ip_policy))
    except (LookupError, ValueError) as error:
        raise Malformed("a field is not as any sealer writes it") from error


@lru_cache(maxsize=1024)
def _destination(short: bytes) -> str:
    """Read and checked once for a while: the readers of one mailing open the same few links."""
    destination = decompress(short, MAX_DESTINATION_BYTES)
    check_destination(destination)
    return destination


_MORE: Final = 0x80
"""Set in every byte of a varint but its last."""


def _varint(number: int) -> bytes:
    out = bytearray()
    while number >= _MORE:
        out.append(number % _MORE | _MORE)
        number >>= 7
    out.append(number)
    return bytes(out)


def _read_varint(data: bytes, at: int) -> tuple[int, int]:
    """The number at an offset, and the offset behind it. IndexError when the data ends within."""
    byte = data[at]
    if byte < _MORE:
        return byte, at + 1
    number = byte - _MORE
    for place in range(1, _VARINT_BYTES):
        byte = data[at + place]
        if byte < _MORE:
            if byte == 0:
                raise Malformed("a number is longer than needed")
            return number | byte << 7 * place, at + place + 1
        number |= byte - _MORE << 7 * place
    raise Malformed("a number is over 2**63 - 1")


_TO_URL: Final = bytes.maketrans(b"+/", b"-_")
_FROM_URL: Final = bytes.maketrans(b"-_+/=", b"+/!!!")
"""What base64url has not becomes what base64 has not either."""
_ENDS: Final = (b"", b"", b"AQgw", b"AEIMQUYcgkosw048")
"""The last characters whose bits beyond the last byte are zero, by the number of characters after the last four."""
_PADDINGS: Final = (b"", b"", b"==", b"=")


def _encode(token: bytes) -> str:
    return binascii.b2a_base64(token, newline=False).translate(_TO_URL, b"=").decode("ascii")


def _decode(text: str) -> bytes:
    """Strict: the one text of these bytes, or Malformed."""
    if len(text) > MAX_TOKEN_CHARACTERS:
        raise Malformed("too long")
    over = len(text) % 4
    try:
        encoded = text.encode("ascii").translate(_FROM_URL)
        token = binascii.a2b_base64(encoded + _PADDINGS[over], strict_mode=True)
    except ValueError:
        raise Malformed("not base64url") from None
    if len(token) < _MIN_TOKEN_BYTES:
        raise Malformed("too short")
    if over and encoded[-1] not in _ENDS[over]:
        raise Malformed("not canonical base64url")
    return token


def _domain_bytes(link_domain: str) -> bytes:
    """Any text can arrive as a host; what is no host name was never sealed for, and does not open."""
    return link_domain.encode("utf-8", "surrogatepass")
