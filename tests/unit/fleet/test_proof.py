"""The answer to a nonce: only an edge with the keyring has it, and only for the domain it was asked on."""

import pytest

from waypost.fleet.proof import prove, proves
from waypost.links.keyring import Keyring

KEYRING = Keyring.new(b"k" * 64)
NONCE = "0123456789abcdef"


def test_an_edge_with_the_keyring_proves_itself():
    assert proves(prove(NONCE, "links.example.com", KEYRING), NONCE, "links.example.com", KEYRING)


def test_it_still_does_while_a_new_key_is_rolled_out():
    rolled = KEYRING.add(b"n" * 64).promote(2)
    assert proves(prove(NONCE, "links.example.com", KEYRING), NONCE, "links.example.com", rolled)


@pytest.mark.parametrize(
    ("nonce", "link_domain", "keyring"),
    [
        ("0123456789abcdeX", "links.example.com", KEYRING),
        (NONCE, "links.example.org", KEYRING),
        (NONCE, "links.example.com", Keyring.new(b"x" * 64)),
    ],
    ids=["another nonce", "another domain", "another keyring"],
)
def test_the_proof_is_of_nothing_else(nonce, link_domain, keyring):
    assert not proves(prove(NONCE, "links.example.com", KEYRING), nonce, link_domain, keyring)


@pytest.mark.parametrize("answer", ["", "1", "1 zz", "900 " + "0" * 64, "1 " + "0" * 64, "<html>"])
def test_any_other_answer_proves_nothing(answer):
    assert not proves(answer, NONCE, "links.example.com", KEYRING)


@pytest.mark.parametrize("nonce", ["", "short", "a" * 65, "0123456789 abcdef", "0123456789abcdef/", "0123456789abcdé"])
def test_an_edge_signs_nothing_but_a_nonce(nonce):
    with pytest.raises(ValueError, match="nonce"):
        prove(nonce, "links.example.com", KEYRING)
