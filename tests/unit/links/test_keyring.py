"""The keyring as a value: exactly one key mints, none is lost, and its text form notices damage."""

import json
from dataclasses import replace

import pytest

from waypost.links.errors import InvalidKeyring
from waypost.links.keyring import Key, Keyring, KeyState

SECRETS = [bytes([number]) * 64 for number in range(256)]
RING = Keyring.new(SECRETS[1]).add(SECRETS[2]).add(SECRETS[3])


def test_a_new_keyring_mints_with_key_1():
    assert Keyring.new(SECRETS[1]).minting == Key(1, SECRETS[1], KeyState.MINTING)


def test_a_key_that_is_added_only_opens_and_changes_no_other():
    grown = RING.add(SECRETS[4])
    assert grown.keys[:3] == RING.keys
    assert grown.keys[3] == Key(4, SECRETS[4], KeyState.OPENING)
    assert grown.minting == RING.minting


def test_promoting_moves_minting_and_keeps_every_key():
    promoted = RING.promote(3)
    assert [key.state for key in promoted.keys] == ["opening", "opening", "minting"]
    assert [key.secret for key in promoted.keys] == [key.secret for key in RING.keys]
    assert promoted.promote(1) == RING


def test_a_keyring_holds_255_keys_and_refuses_the_next():
    ring = Keyring.new(SECRETS[1])
    for secret in SECRETS[2:]:
        ring = ring.add(secret)
    assert ring.keys[-1].key_id == 255
    with pytest.raises(InvalidKeyring):
        ring.add(SECRETS[0])


def test_nothing_removes_a_key():
    assert {name for name in dir(Keyring) if not name.startswith("_")} == {
        "add", "ciphers", "dump", "keys", "minting", "new", "parse", "promote"
    }  # fmt: skip


@pytest.mark.parametrize(
    ("fault", "make"),
    [
        ("0 keys are minting", lambda: Keyring(())),
        ("0 keys are minting", lambda: Keyring((replace(RING.keys[0], state=KeyState.OPENING),))),
        ("0 keys are minting", lambda: RING.promote(9)),
        ("2 keys are minting", lambda: Keyring((RING.keys[0], replace(RING.keys[1], state=KeyState.MINTING)))),
        ("ascending order", lambda: Keyring((RING.keys[1], RING.keys[0]))),
        ("ascending order", lambda: Keyring((RING.keys[0], RING.keys[0]))),
        ("the same secret", lambda: RING.add(SECRETS[2])),
        ("not 64", lambda: Keyring.new(bytes(32))),
        ("key id 0", lambda: Key(0, SECRETS[1], KeyState.MINTING)),
        ("key id 256", lambda: Key(256, SECRETS[1], KeyState.MINTING)),
    ],
)
def test_what_is_no_keyring_cannot_be_made(fault, make):
    with pytest.raises(InvalidKeyring, match=fault):
        make()


def test_no_secret_is_printed():
    for text in (repr(RING), str(RING), repr(RING.keys[0])):
        assert "\\x" not in text
        assert SECRETS[1].hex() not in text


def test_the_text_form_comes_back_the_same():
    assert Keyring.parse(RING.promote(2).dump()) == RING.promote(2)
    assert Keyring.parse(RING.dump()).dump() == RING.dump()


def test_each_changed_character_of_a_secret_is_noticed():
    document = json.loads(RING.dump())
    secret = document["keys"][1]["secret"]
    for at in range(len(secret)):
        changed = secret[:at] + ("B" if secret[at] != "B" else "C") + secret[at + 1 :]
        document["keys"][1]["secret"] = changed
        with pytest.raises(InvalidKeyring):
            Keyring.parse(json.dumps(document))


def changed(**fields):
    document = json.loads(RING.dump())
    document["keys"][0] |= fields
    return json.dumps(document)


@pytest.mark.parametrize(
    ("fault", "text"),
    [
        ("not JSON", ""),
        ("not JSON", RING.dump()[:-10]),
        ("not JSON", "[" * 100_000),
        ("not an object", "[]"),
        ("not an object", '{"keys": []}'),
        ("not an object", '{"format": "waypost-keyring-1", "keys": [], "more": 1}'),
        ("the format is", '{"format": "waypost-keyring-2", "keys": []}'),
        ("not a list", '{"format": "waypost-keyring-1", "keys": {}}'),
        ("key number 1 is not an object", '{"format": "waypost-keyring-1", "keys": [1]}'),
        ("key number 1 is not an object", changed(comment="")),
        ("0 keys are minting", '{"format": "waypost-keyring-1", "keys": []}'),
        ("key number 1 is not a number", changed(key_id="1")),
        ("key number 1 is not a number", changed(key_id=True)),
        ("key id 256", changed(key_id=256)),
        ("key number 1: 'closed'", changed(state="closed")),
        ("key number 1", changed(secret="A" * 85 + "\n")),
        ("has 63 bytes", changed(secret="A" * 84)),
        ("key number 1", changed(secret=None)),
        ("is damaged", changed(fingerprint="00000000")),
        ("is damaged", changed(fingerprint=None)),
    ],
)
def test_what_is_no_text_of_a_keyring_is_refused_with_its_fault(fault, text):
    with pytest.raises(InvalidKeyring, match=fault):
        Keyring.parse(text)


def test_a_derived_key_is_of_its_purpose_and_of_its_key():
    first, second = Keyring.new(b"a" * 64).add(b"b" * 64).keys
    assert len(first.derive("snapshot")) == 32
    assert len({first.derive("snapshot"), first.derive("proof"), second.derive("snapshot")}) == 3
    assert first.derive("snapshot") == first.derive("snapshot")
