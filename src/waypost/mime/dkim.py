"""DKIM signatures (RFC 6376) with RSA and Ed25519 (RFC 8463) over what `compose()` makes.

The same message, keys and time give the same bytes: neither algorithm takes randomness.
"""

import re
from base64 import b64encode
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256

from waypost.mime.header import LINE_LENGTH

OVERSIGNED = (
    "from", "to", "cc", "reply-to", "subject", "date", "mime-version", "content-type", "content-transfer-encoding",
)  # fmt: skip
"""Named once more than they occur, absent ones too: one put in on the way breaks the signature (RFC 6376, 8.15)."""

UNSUBSCRIBE = ("list-unsubscribe", "list-unsubscribe-post")
"""RFC 8058, section 4: both are signed where the first is; and then neither can be put in."""

# Oversigned where they are. Where they are not, a mailing list on the way may put its own in, as Google Groups does,
# without breaking the signature.
_LIST = "list-"
# Not signed: relays take out those that are meant for them (X-SES-…, X-PM-…, X-SMTPAPI).
_FOR_RELAYS = "x-"
# Nor a field whose name has one: in `h=` it would end the tag, and what follows be taken for tags (RFC 6376, 3.2).
_TAG_END = ";"

_FIELD_ENDS = re.compile(r"\r\n(?![ \t])")
_FOLD = re.compile(r"\r\n(?=[ \t])")
_FIELD_SPACE = re.compile(r"[ \t]+")


@dataclass(frozen=True, slots=True)
class Signer:
    """One signature's key and where its public half is published.

    Attributes:
        domain: `d=`, A-labels.
        selector: `s=`.
        key: private.
    """

    domain: str
    selector: str
    key: RSAPrivateKey | Ed25519PrivateKey


def sign(message: bytes, signers: Sequence[Signer], signed_at: datetime) -> bytes:
    """The message with one DKIM-Signature on top of it for each signer, relaxed/relaxed.

    Args:
        message: from `compose()`: ASCII, every line end CRLF.
        signers: in the order that their signatures shall stand in.
        signed_at: `t=`; aware.
    """
    head, _, body = message.partition(b"\r\n\r\n")
    fields = [_relaxed(field) for field in _FIELD_ENDS.split(head.decode("ascii"))]
    names = list(_signed_names([name for name, _ in fields]))
    body_hash = b64encode(sha256(relaxed_body(body)).digest()).decode("ascii")
    signed = "".join(f"{name}:{value}\r\n" for name, value in _selected(fields, names))
    signatures = (_signature(signer, signed, names, body_hash, int(signed_at.timestamp())) for signer in signers)
    return "".join(signatures).encode("ascii") + message


def relaxed_body(body: bytes) -> bytes:
    """The body as it is hashed (RFC 6376, section 3.4.4)."""
    lines = body.replace(b"\t", b" ")
    while b"  " in lines:  # each turn halves every run; one regular expression takes thirty times as long
        lines = lines.replace(b"  ", b" ")
    lines = lines.replace(b" \r\n", b"\r\n").removesuffix(b" ").rstrip(b"\r\n")
    return lines and lines + b"\r\n"


def _relaxed(field: str) -> tuple[str, str]:
    """Name and value as they are hashed (RFC 6376, section 3.4.2)."""
    name, _, value = field.partition(":")
    return name.rstrip(" \t").lower(), _FIELD_SPACE.sub(" ", _FOLD.sub("", value)).strip(" ")


def _signed_names(present: Sequence[str]) -> Iterator[str]:
    """What goes into `h=`."""
    present = [name for name in present if _TAG_END not in name]
    counts = Counter(present)
    oversigned = dict.fromkeys(OVERSIGNED)
    oversigned |= dict.fromkeys(UNSUBSCRIBE if UNSUBSCRIBE[0] in counts else ())
    oversigned |= dict.fromkeys(name for name in counts if name.startswith(_LIST))
    for name in oversigned:
        yield from [name] * (counts[name] + 1)
    for name in present:
        if name not in oversigned and not name.startswith(_FOR_RELAYS):
            yield name


def _selected(fields: Sequence[tuple[str, str]], names: Sequence[str]) -> Iterator[tuple[str, str]]:
    """The fields that `names` stand for, each name's from the bottom up; a name too many stands for nothing."""
    left = list(fields)
    for wanted in names:
        for index in reversed(range(len(left))):
            if left[index][0] == wanted:
                yield left.pop(index)
                break


def _signature(signer: Signer, signed: str, names: Sequence[str], body_hash: str, at_seconds: int) -> str:
    """The whole field. It is written as it goes out and then hashed, so no later fold can change what was signed."""
    algorithm = "rsa-sha256" if isinstance(signer.key, RSAPrivateKey) else "ed25519-sha256"
    field = (
        f"DKIM-Signature: v=1; a={algorithm}; c=relaxed/relaxed; d={signer.domain};\r\n"
        f" s={signer.selector}; t={at_seconds};\r\n"
        f"{_name_lines(names)};\r\n"
        f" bh={body_hash};\r\n"
        " b="
    )
    name, value = _relaxed(field)
    data = f"{signed}{name}:{value}".encode("ascii")
    if isinstance(signer.key, RSAPrivateKey):
        signature = signer.key.sign(data, PKCS1v15(), SHA256())
    else:
        signature = signer.key.sign(sha256(data).digest())  # RFC 8463, section 3: the hash is what is signed
    text = b64encode(signature).decode("ascii")
    return field + "\r\n ".join(re.findall(f".{{1,{LINE_LENGTH - len(' b=')}}}", text)) + "\r\n"


def _name_lines(names: Sequence[str]) -> str:
    lines = [" h="]
    for name in names:
        separator = ":" if lines[-1] != " h=" else ""
        if len(lines[-1]) + len(separator) + len(name) > LINE_LENGTH - len(":"):
            lines[-1] += separator
            lines.append(f" {name}")
        else:
            lines[-1] += separator + name
    return "\r\n".join(lines)
