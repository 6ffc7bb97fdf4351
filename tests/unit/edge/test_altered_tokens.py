"""S1, forged links: an altered token redirects nowhere, unless undoing the damage of a mail program gives the genuine
one back, and then to where that one leads."""

import base64
import random
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

import pytest

from waypost.edge.decide import decide
from waypost.events.ids import uuid7

from .conftest import DOMAIN
from .test_decide import NOW, RANDOMNESS

OTHER_DOMAIN = "links.other.example"
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
DASHES = str.maketrans("\u2010\u2011\u2012\u2013\u2014\u2015\u2212", "-------")
"""The only characters that a repair changes, in place of leaving them out."""


class Genuine(NamedTuple):
    """A token that was sealed."""

    text: str
    link_domain: str
    destination: str

    @property
    def octets(self):
        return base64.urlsafe_b64decode(self.text + "=" * (-len(self.text) % 4))


@pytest.fixture
def genuine(token):
    """Of two accounts and two link domains; some differ in nothing but one of these."""
    made = []
    for number in range(40):
        link_domain, account = (DOMAIN, OTHER_DOMAIN)[number % 2], 7 + number // 2 % 2
        destination = f"https://shop.example/{number // 4}/{account}/{link_domain}"
        send_id = uuid7(number // 4, bytes(10))
        text = token(link_domain, account=account, destination=destination, send_id=send_id)
        made.append(Genuine(text, link_domain, destination))
    return made


def text_of(octets):
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


def flip_a_bit(rng, one, _):
    octets = bytearray(one.octets)
    octets[rng.randrange(len(octets))] ^= 1 << rng.randrange(8)
    return text_of(octets)


def claim_another_version_or_key(rng, one, _):
    octets = bytearray(one.octets)
    octets[rng.randrange(2)] = rng.randrange(256)
    return text_of(octets)


def change_a_character(rng, one, _):
    at = rng.randrange(len(one.text))
    return one.text[:at] + rng.choice(ALPHABET) + one.text[at + 1 :]


def change_the_case(rng, one, _):
    at = rng.randrange(len(one.text))
    return one.text[:at] + one.text[at:].swapcase()


def put_anything_in(rng, one, _):
    at = rng.randrange(len(one.text) + 1)
    anything = rng.choice([rng.choice(ALPHABET), chr(rng.randrange(256)), f"%{rng.randrange(256):02X}", "=%0D%0A"])
    return one.text[:at] + anything + one.text[at:]


def leave_some_out(rng, one, _):
    start, end = sorted(rng.sample(range(len(one.text) + 1), 2))
    return one.text[:start] + one.text[end:]


def truncate(rng, one, _):
    return one.text[: rng.randrange(len(one.text))]


def lengthen(rng, one, _):
    return one.text + "".join(rng.choices(ALPHABET + "=.&%", k=rng.randint(1, 8)))


def splice_texts(rng, one, other):
    at = rng.randrange(len(one.text))
    return one.text[:at] + other.text[at:]


def splice_octets(rng, one, other):
    at = rng.randrange(len(one.octets))
    return text_of(one.octets[:at] + other.octets[at:])


def take_the_tag_of_another(_, one, other):
    return text_of(one.octets[:2] + other.octets[2:18] + one.octets[18:])


def leave_as_it_is(_, one, __):
    """For the other domain."""
    return one.text


ALTERATIONS = (
    flip_a_bit,
    claim_another_version_or_key,
    change_a_character,
    change_the_case,
    put_anything_in,
    leave_some_out,
    truncate,
    lengthen,
    splice_texts,
    splice_octets,
    take_the_tag_of_another,
    leave_as_it_is,
)


def undamaged(text, path):
    """Whether leaving characters out of a path, percent-encoding undone, gives a text."""
    left = iter(unquote_to_bytes(unquote_to_bytes(path.encode("latin-1"))).decode("utf-8", "ignore").translate(DASHES))
    return all(character in left for character in text)


@pytest.mark.timeout(1_800)
def test_no_altered_token_redirects_but_to_where_the_genuine_one_leads(pytestconfig, edge, genuine, request_for):
    """20,000 by default, a million with --long, which takes minutes on a busy machine."""
    rng = random.Random(1717)
    known = {(each.text, each.link_domain) for each in genuine}
    tried = repaired = 0
    while tried < (1_000_000 if pytestconfig.getoption("long") else 20_000):
        one, other = rng.sample(genuine, 2)
        altered = rng.choice(ALTERATIONS)(rng, one, other)
        link_domain = rng.choice([one.link_domain, one.link_domain, DOMAIN, OTHER_DOMAIN])
        if (altered, link_domain) in known:
            continue
        tried += 1
        path = rng.choice(["/c/{}", "/c/{}", "/C/{}", "//c//{}", "/c/{}.", "/c/{}?x=1"]).format(altered)
        decision = decide(request_for(path, host=link_domain.encode()), edge, NOW, RANDOMNESS)
        headers = dict(decision.answer.headers)
        if decision.hit is None:
            assert (decision.answer.status, headers.get("Location")) == (404, None)
            continue
        repaired += 1
        [meant] = [each for each in genuine if each.destination == decision.hit.destination]
        assert headers["Location"] == meant.destination
        assert (decision.repaired, link_domain) == (True, meant.link_domain)
        assert undamaged(meant.text, path.partition("?")[0].removeprefix("/c/"))
    assert 0 < repaired < tried / 10
