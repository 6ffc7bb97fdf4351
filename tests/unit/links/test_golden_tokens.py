"""Tokens of every release open for ever, and say what they said."""

import json
from pathlib import Path
from uuid import UUID

import pytest

from waypost.links.keyring import Keyring
from waypost.links.token import IpPolicy, Kind, Payload, Privacy, open_token, seal

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "tokens-v1.json").read_text())
KEYRING = Keyring.parse(json.dumps(VECTORS["keyring"]))
EACH = pytest.mark.parametrize("golden", VECTORS["tokens"], ids=[golden["name"] for golden in VECTORS["tokens"]])

TYPES = {"kind": Kind, "privacy": Privacy, "ip_policy": IpPolicy, "send_id": UUID}


def payload_of(golden):
    return Payload(**{name: TYPES.get(name, lambda value: value)(value) for name, value in golden["payload"].items()})


def test_no_golden_token_was_dropped():
    assert len(VECTORS["tokens"]) == 38


@EACH
def test_a_token_of_version_1_opens(golden):
    assert open_token(golden["token"], golden["link_domain"], KEYRING) == payload_of(golden)


@EACH
def test_sealing_today_gives_the_same_text(golden):
    keyring = KEYRING.promote(golden["key_id"])
    assert seal(payload_of(golden), golden["link_domain"], keyring) == golden["token"]
