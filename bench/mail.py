"""Messages composed and signed a second on one core: make bench-mail

Every example message, text and HTML, as mail does it at each attempt once its links are rewritten; and one with 1 MB
attached. Signing is set beside dkimpy, which signs with RSA in Python itself and hashes the body anew for each
signature. CPU time, the best of a few rounds: what the code costs, not what else the machine did.
"""

import base64
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from random import randbytes
from uuid import UUID

import dkim
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from demo.messages import load

from waypost.control.sources import new_rsa_private_key
from waypost.mime import Attachment, Mailbox, Message, compose
from waypost.mime.dkim import OVERSIGNED, Signer, sign

DOMAIN = "post.example"
NOW = datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC)
RSA = new_rsa_private_key()
ED25519 = Ed25519PrivateKey.generate()
SIGNERS = {"RSA": Signer(DOMAIN, "rsa", RSA), "Ed25519": Signer(DOMAIN, "ed25519", ED25519)}
BOTH = tuple(SIGNERS.values())
ROUNDS = 5
COPIES = 20
"""Of the ten messages in a round: a round takes a tenth of a second or more."""

_PEM = RSA.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
_SEED = base64.b64encode(ED25519.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption()))
_NAMES = [name.encode() for name in (*OVERSIGNED, *OVERSIGNED, "message-id")]


def messages() -> list[Message]:
    found = []
    for number, example in enumerate(load()):
        body = example.body
        found.append(
            Message(
                send_id=UUID(int=number),
                sent_at=NOW,
                from_=Mailbox(body["from_email_address"], body["from_name"]),
                to=(Mailbox(body["recipient_email_address"], body["recipient_name"]),),
                subject=body["subject"],
                text=body["content_text"],
                html=body["content_html"],
            )
        )
    return found


def dkimpy(message: bytes) -> bytes:
    """Both signatures."""
    relaxed = (b"relaxed", b"relaxed")
    domain = DOMAIN.encode()
    rsa = dkim.sign(message, b"rsa", domain, _PEM, canonicalize=relaxed, include_headers=_NAMES)
    ed25519 = dkim.sign(
        message, b"ed25519", domain, _SEED,
        canonicalize=relaxed, include_headers=_NAMES, signature_algorithm=b"ed25519-sha256",
    )  # fmt: skip
    return rsa + ed25519 + message


def milliseconds(work: Callable, inputs: Sequence) -> float:
    """Of CPU for each input."""
    best = float("inf")
    for _ in range(ROUNDS):
        began = time.process_time()
        for _ in range(COPIES):
            for one in inputs:
                work(one)
        best = min(best, time.process_time() - began)
    return best / COPIES / len(inputs) * 1000


def main() -> None:
    """Print the table."""
    made = messages()
    composed = [compose(message) for message in made]
    size = sum(map(len, composed)) / len(composed) / 1024
    print(f"{len(made)} messages, {size:.1f} KB each on average")
    print(f"{'':42}{'ms of CPU':>10}{'a second':>10}")
    # Bytes of no pattern, so that it becomes base64.
    large = replace(made[0], attachments=(Attachment("a.bin", "application/octet-stream", randbytes(1 << 20)),))
    for name, work, inputs in (
        ("compose", compose, made),
        ("sign, RSA and Ed25519", lambda raw: sign(raw, BOTH, NOW), composed),
        ("sign, RSA alone", lambda raw: sign(raw, [SIGNERS["RSA"]], NOW), composed),
        ("sign, Ed25519 alone", lambda raw: sign(raw, [SIGNERS["Ed25519"]], NOW), composed),
        ("compose and sign both", lambda message: sign(compose(message), BOTH, NOW), made),
        ("dkimpy: sign, RSA and Ed25519", dkimpy, composed),
        ("1 MB attached: compose", compose, [large]),
        ("1 MB attached: sign, RSA and Ed25519", lambda raw: sign(raw, BOTH, NOW), [compose(large)]),
        ("1 MB attached: dkimpy, RSA and Ed25519", dkimpy, [compose(large)]),
    ):
        cost = milliseconds(work, inputs)
        print(f"{name:42}{cost:>10.2f}{1000 / cost:>10,.0f}")


if __name__ == "__main__":
    main()
