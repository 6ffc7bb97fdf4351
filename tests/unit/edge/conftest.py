from collections.abc import Callable
from uuid import UUID

import pytest

from waypost.edge.decide import Edge, Request
from waypost.links.keyring import Keyring
from waypost.links.token import Kind, Payload, seal

SEND = UUID("019cb7d4-0d59-7000-8000-000000000001")
DOMAIN = "links.example.com"
DESTINATION = "https://shop.example/a?b=c&d=%20#e"


@pytest.fixture
def keyring() -> Keyring:
    return Keyring.new(bytes(range(64)))


@pytest.fixture
def edge(keyring: Keyring) -> Edge:
    return Edge("edge-0", keyring)


@pytest.fixture
def token(keyring: Keyring) -> Callable[..., str]:
    """Seal a click, or what the keyword arguments say."""

    def make(link_domain: str = DOMAIN, **fields: object) -> str:
        base: dict[str, object] = {"kind": Kind.CLICK, "account": 7, "profile": 8, "send_id": SEND}
        if fields.get("kind", Kind.CLICK) is Kind.CLICK:
            base |= {"link_index": 3, "destination": DESTINATION}
        return seal(Payload(**(base | fields)), link_domain, keyring)

    return make


@pytest.fixture
def request_for() -> Callable[..., Request]:
    def make(
        target: str,
        *,
        method: bytes = b"GET",
        host: bytes = b"links.example.com",
        address: str = "192.0.2.33",
        headers: dict[bytes, bytes] | None = None,
    ) -> Request:
        return Request(method, target.encode("latin-1"), host, address, headers or {})

    return make
