"""Sealing and opening: what a token carries comes back, and nothing else opens."""

import base64
import itertools
import random
import re
import string
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from waypost.events.ids import uuid7
from waypost.links.compression import CHARACTERS
from waypost.links.destination import check
from waypost.links.errors import BadSeal, InvalidPayload, Malformed, TokenError, UnknownKey
from waypost.links.keyring import Keyring
from waypost.links.token import (
    MAX_DESTINATION_BYTES,
    MAX_NUMBER,
    MAX_TOKEN_CHARACTERS,
    Header,
    IpPolicy,
    Kind,
    Payload,
    Privacy,
    Sealer,
    open_token,
    read_header,
    seal,
)

DOMAIN = "links.example.com"
KEYRING = Keyring.new(bytes(range(64)))
SEND_ID = uuid7(1_717_372_800_000, bytes(range(10)))
CLICK = Payload(Kind.CLICK, 3, 4, 7, "https://www.example.com/sale?utm_source=newsletter&utm_medium=email", SEND_ID)
OPEN = Payload(Kind.OPEN, 3, 4, send_id=SEND_ID)


def changed(payload, **fields):
    return Payload(**(payload._asdict() | fields))


TOKEN = seal(CLICK, DOMAIN, KEYRING)

numbers = st.integers(0, MAX_NUMBER) | st.integers(0, 300)
send_ids = st.builds(uuid7, st.integers(0, 2**48 - 1), st.binary(min_size=10, max_size=10))
destinations = st.builds(
    "{}{}{}".format,
    st.sampled_from(["http://", "https://", "HTTPS://"]),
    st.sampled_from("aZ09-._~:@[%"),
    st.text(CHARACTERS, max_size=300) | st.sampled_from(["www.example.com/?q=" + "a1" * n for n in range(300)]),
)


@st.composite
def payloads(draw):
    kind, privacy = draw(st.sampled_from(Kind)), draw(st.sampled_from(Privacy))
    return Payload(
        kind,
        draw(numbers),
        draw(numbers),
        draw(numbers) if kind is Kind.CLICK else 0,
        draw(destinations) if kind is Kind.CLICK else "",
        None if privacy is Privacy.ANONYMOUS else draw(send_ids),
        privacy,
        draw(st.sampled_from(IpPolicy)),
    )


def sealed_plaintext(plaintext, header=b"\x01\x01"):
    """A well-sealed token of any plaintext, as only a sealer with a bug would make."""
    sealed = KEYRING.ciphers[1].encrypt(plaintext, [header, DOMAIN.encode()])
    return base64.urlsafe_b64encode(header + sealed).rstrip(b"=").decode()


@given(payloads())
def test_what_is_sealed_opens_to_the_same_payload(payload):
    text = seal(payload, DOMAIN, KEYRING)
    assert open_token(text, DOMAIN, KEYRING) == payload
    assert open_token(text, DOMAIN, KEYRING, kind=payload.kind) == payload
    assert re.fullmatch(r"[A-Za-z0-9_-]+", text)
    assert len(text) <= MAX_TOKEN_CHARACTERS


@given(payloads())
def test_sealing_twice_gives_the_same_text(payload):
    assert seal(payload, DOMAIN, KEYRING) == seal(payload, DOMAIN, Keyring.parse(KEYRING.dump()))


def test_the_longest_token_has_exactly_the_most_characters_allowed():
    rng = random.Random(1)
    destination = "http://" + "".join(rng.choices("~!$'()*,;", k=MAX_DESTINATION_BYTES - 7))
    payload = Payload(Kind.CLICK, MAX_NUMBER, MAX_NUMBER, MAX_NUMBER, destination, SEND_ID)
    text = seal(payload, DOMAIN, KEYRING)
    assert len(text) <= MAX_TOKEN_CHARACTERS < len(text) + 12  # the scheme alone was made shorter
    assert open_token(text, DOMAIN, KEYRING) == payload


def test_a_sealer_gives_the_tokens_that_seal_gives():
    sealer = Sealer(KEYRING, DOMAIN, account=3, profile=4)
    for index, send in itertools.product(range(300), (SEND_ID, uuid7(1, bytes(10)))):
        payload = changed(CLICK, link_index=index, send_id=send)
        assert sealer.click(send, index, CLICK.destination) == seal(payload, DOMAIN, KEYRING)
    assert sealer.open(SEND_ID) == seal(OPEN, DOMAIN, KEYRING)


@pytest.mark.parametrize(
    "domain", ["links.example.org", "example.com", "LINKS.example.com", "links.example.com:443", "", "\udc80"]
)
def test_a_token_does_not_open_on_another_domain(domain):
    with pytest.raises(BadSeal):
        open_token(TOKEN, domain, KEYRING)


def test_a_token_of_another_keyring_does_not_open():
    with pytest.raises(BadSeal):
        open_token(TOKEN, DOMAIN, Keyring.new(bytes(64)))


def test_a_token_of_a_key_that_is_not_held_is_told_by_its_key_id():
    later = KEYRING.add(bytes(64)).promote(2)
    text = seal(CLICK, DOMAIN, later)
    assert read_header(text) == Header(version=1, key_id=2)
    assert open_token(text, DOMAIN, later) == CLICK
    with pytest.raises(UnknownKey) as caught:
        open_token(text, DOMAIN, KEYRING)
    assert caught.value.key_id == 2


def test_a_token_still_opens_after_another_key_mints():
    assert open_token(TOKEN, DOMAIN, KEYRING.add(bytes(64)).promote(2)) == CLICK


@pytest.mark.parametrize(("payload", "kind"), [(CLICK, Kind.OPEN), (OPEN, Kind.CLICK)])
def test_a_token_does_not_open_where_the_other_kind_is_asked_for(payload, kind):
    with pytest.raises(Malformed):
        open_token(seal(payload, DOMAIN, KEYRING), DOMAIN, KEYRING, kind=kind)


# Bytes of the head and of the two numbers, in the order of the wire; changed in the ciphertext, as an attacker could.
@pytest.mark.parametrize("at", [0, 1, 2], ids=["kind, privacy and IP policy", "account", "profile"])
def test_a_token_cannot_be_turned_into_one_of_another(at):
    token = bytearray(base64.urlsafe_b64decode(TOKEN + "=="))
    for value in range(1, 256):
        altered = token.copy()
        altered[2 + 16 + at] ^= value
        with pytest.raises(BadSeal):
            open_token(base64.urlsafe_b64encode(altered).rstrip(b"=").decode(), DOMAIN, KEYRING)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "A",
        "AQ",
        TOKEN + "=",
        TOKEN + "==",
        TOKEN + "\n",
        " " + TOKEN,
        TOKEN[:30] + "\n" + TOKEN[30:],
        TOKEN[:30] + "=" + TOKEN[30:],
        TOKEN[:30] + "." + TOKEN[30:],
        TOKEN + "A" * 3,
        TOKEN + "\u00e9",
        TOKEN + "\uff21",
        TOKEN + "\udc80",
        TOKEN + "\0",
        "A" * (MAX_TOKEN_CHARACTERS + 1),
        "A" * 10_000_000,
        "AA" + TOKEN[2:],  # version 0
        "Ag" + TOKEN[2:],  # version 2
    ],
)
def test_what_is_no_token_is_malformed(text):
    with pytest.raises(Malformed):
        open_token(text, DOMAIN, KEYRING)


def test_the_standard_alphabet_is_not_ours():
    texts = [seal(changed(CLICK, link_index=index), DOMAIN, KEYRING) for index in range(50)]
    assert any("-" in text for text in texts)
    assert any("_" in text for text in texts)
    for text in texts:
        for ours, theirs in (("-", "+"), ("_", "/")):
            if ours in text:
                with pytest.raises(Malformed):
                    open_token(text.replace(ours, theirs), DOMAIN, KEYRING)


@pytest.mark.parametrize("link_index", [7, 200, 20_000])
def test_one_token_has_one_text(link_index):
    """The last character may hold bits that decoding drops; only the text with zeros there opens."""
    text = seal(changed(CLICK, link_index=link_index), DOMAIN, KEYRING)
    opening = []
    for last in string.ascii_letters + string.digits + "-_":
        try:
            opening.append(open_token(text[:-1] + last, DOMAIN, KEYRING))
        except TokenError:
            continue
    assert opening == [changed(CLICK, link_index=link_index)]


HEAD_CLICK_ANONYMOUS = b"\x04"
HEAD_OPEN_ANONYMOUS = b"\x05"
HEAD_OPEN = b"\x01"
URL = b"http://x/"


FAULTS = [
    ("a number is longer than needed", HEAD_CLICK_ANONYMOUS + b"\x81\x00" + b"\1\1" + URL),
    ("a number is over 2**63 - 1", HEAD_CLICK_ANONYMOUS + b"\xff" * 9 + b"\1" + b"\1\1" + URL),
    ("a number has no end", HEAD_CLICK_ANONYMOUS + b"\1\1\xff"),
    ("privacy 3", b"\x06\1\1\1" + URL),
    ("IP policy 3", b"\x1c\1\1\1" + URL),
    ("head bit 5", b"\x24\1\1\1" + URL),
    ("head bit 6", b"\x44\1\1\1" + URL),
    ("head bit 7", b"\x84\1\1\1" + URL),
    ("no link index", HEAD_CLICK_ANONYMOUS + b"\1\1"),
    ("no destination", HEAD_CLICK_ANONYMOUS + b"\1\1\1"),
    ("another scheme", HEAD_CLICK_ANONYMOUS + b"\1\1\1" + b"javascript:alert(1)"),
    ("no host", HEAD_CLICK_ANONYMOUS + b"\1\1\1" + b"https:///path"),
    ("a cut run", HEAD_CLICK_ANONYMOUS + b"\1\1\1" + URL + b"\0\x05\xab"),
    ("a run without count", HEAD_CLICK_ANONYMOUS + b"\1\1\1" + URL + b"\0"),
    ("an empty run", HEAD_CLICK_ANONYMOUS + b"\1\1\1" + URL + b"\0\0"),
    ("an empty base64 run", HEAD_CLICK_ANONYMOUS + b"\1\1\1" + URL + b"\0\x80"),
    ("a destination over the limit", HEAD_CLICK_ANONYMOUS + b"\1\1\1" + URL + b"a" * 4088),
    ("a destination far over the limit", HEAD_CLICK_ANONYMOUS + b"\1\1\1" + URL + b"\x0a" * 4000),
    ("a tail behind an open", HEAD_OPEN_ANONYMOUS + b"\1\1\1"),
    ("a destination in an open", HEAD_OPEN_ANONYMOUS + b"\1\1\1" + URL),
    ("a send id cut short", HEAD_OPEN + b"\1\1" + SEND_ID.bytes[:15]),
    ("a send id of version 4", HEAD_OPEN + b"\1\1" + UUID("c91d6da3-3f02-49a1-abe7-020e89e0b958").bytes),
    ("a send id of the other variant", HEAD_OPEN + b"\1\1" + UUID("0190c91d-6da3-7f02-c9a1-abe7020e89e0").bytes),
]


@pytest.mark.parametrize("plaintext", [plaintext for _, plaintext in FAULTS], ids=[fault for fault, _ in FAULTS])
def test_a_sealed_text_with_a_fault_inside_is_malformed(plaintext):
    with pytest.raises(Malformed):
        open_token(sealed_plaintext(plaintext), DOMAIN, KEYRING)


def test_the_faults_above_are_the_only_thing_wrong_with_them():
    assert (
        open_token(sealed_plaintext(HEAD_CLICK_ANONYMOUS + b"\1\1\1" + URL), DOMAIN, KEYRING).destination == "http://x/"
    )
    assert open_token(sealed_plaintext(HEAD_OPEN_ANONYMOUS + b"\1\1"), DOMAIN, KEYRING).account == 1
    assert open_token(sealed_plaintext(HEAD_OPEN + b"\1\1" + SEND_ID.bytes), DOMAIN, KEYRING).send_id == SEND_ID


@given(st.binary(max_size=200))
def test_a_seal_over_anything_opens_or_is_malformed(plaintext):
    try:
        payload = open_token(sealed_plaintext(plaintext), DOMAIN, KEYRING)
    except Malformed:
        return
    assert open_token(seal(payload, DOMAIN, KEYRING), DOMAIN, KEYRING) == payload


@given(st.text(max_size=200), st.text(max_size=30))
def test_arbitrary_text_never_opens(text, domain):
    with pytest.raises(TokenError):
        open_token(text, domain, KEYRING)


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("account", {"account": -1}),
        ("account", {"account": 2**63}),
        ("profile", {"profile": -1}),
        ("profile", {"profile": 2**63}),
        ("link_index", {"link_index": -1}),
        ("link_index", {"link_index": 2**63}),
        ("send_id", {"send_id": None}),
        ("send_id", {"send_id": None, "privacy": Privacy.PSEUDONYMOUS}),
        ("send_id", {"privacy": Privacy.ANONYMOUS}),
        ("send_id", {"send_id": UUID("c91d6da3-3f02-49a1-abe7-020e89e0b958")}),
        ("kind", {"kind": Kind.OPEN}),
        ("destination", {"destination": ""}),
        ("destination", {"destination": "http://" + "a" * 4090}),
        *(
            ("destination", {"destination": url})
            for url in [
                "ftp://example.com/",
                "javascript:alert(1)",
                "//example.com/",
                "/path",
                "https:/example.com/",
                "https://",
                "https:///path",
                "https://?q",
                "https://#f",
                " https://example.com/",
                "https://example.com/\r\nSet-Cookie: a=b",
                "https://example.com/\n",
                "https://example.com/\0",
                "https://example.com/\x7f",
                "https://example.com/a b",
                "https://example.com/\t",
                "https://example.com\\@evil.example/",
                'https://example.com/"',
                "https://example.com/<",
                "https://example.com/{id}",
                "https://example.com/|",
                "https://example.com/^`",
                "https://b\u00fccher.example/",
                "https://example.com/\u2028",
                "https://example.com/\udc80",
            ]
        ),
    ],
)
def test_what_would_not_open_is_not_sealed(field, changes):
    with pytest.raises(InvalidPayload) as caught:
        changed(CLICK, **changes)
    assert caught.value.field == field
    values = {
        name: getattr(CLICK, name) for name in ("account", "profile", "privacy", "send_id", "link_index", "destination")
    }
    values |= {name: value for name, value in changes.items() if name != "kind"}
    if field != "kind":  # a sealer has no kind to get wrong
        with pytest.raises(InvalidPayload):
            Sealer(
                KEYRING, DOMAIN, account=values["account"], profile=values["profile"], privacy=values["privacy"]
            ).click(values["send_id"], values["link_index"], values["destination"])


@given(destinations)
def test_whatever_may_be_tracked_can_be_sealed(destination):
    if check(destination) is None:
        assert changed(CLICK, destination=destination).destination == destination


@pytest.mark.parametrize(
    "destination",
    [
        "http://a",
        "https://user:pw@example.com:/",
        "https://[2001:db8::1]:8443/",
        "https://[v7.a:b]/",
        "https://%41.example/",
        "https://@x",
        "HTTPS://!$&'()*+,;=/?#",
        "https://example.com/" + "a" * (MAX_DESTINATION_BYTES - 20),
    ],
)
def test_the_corners_of_what_may_be_tracked_can_be_sealed(destination):
    assert check(destination) is None
    assert open_token(seal(changed(CLICK, destination=destination), DOMAIN, KEYRING), DOMAIN, KEYRING)


@pytest.mark.parametrize(
    "domain",
    [
        "",
        "Links.example.com",
        "links.example.com:443",
        "links.example.com.",
        ".example.com",
        "a..b",
        "a b",
        "a/b",
        "b\u00fccher.de",
        "[::1]",
        "a." * 126 + "aa",
        "x" * 64,
        "a\n",
    ],
)
def test_a_link_domain_is_a_lower_case_host_name_without_port(domain):
    with pytest.raises(InvalidPayload) as caught:
        seal(CLICK, domain, KEYRING)
    assert caught.value.field == "link_domain"


def flip_a_bit(rng, token, _):
    altered = bytearray(token)
    altered[rng.randrange(len(token))] ^= 1 << rng.randrange(8)
    return bytes(altered)


def cut(rng, token, _):
    return token[: rng.randrange(len(token))]


def lengthen(rng, token, _):
    return token + rng.randbytes(rng.randint(1, 40))


def splice(rng, token, other):
    at = rng.randrange(1, min(len(token), len(other)))
    return token[:at] + other[at:]


def put_under_another_seal(_, token, other):
    return other[:18] + token[18:]


def replace_all_but_the_header(rng, token, _):
    return token[:2] + rng.randbytes(len(token) - 2)


ALTERATIONS = [flip_a_bit, cut, lengthen, splice, put_under_another_seal, replace_all_but_the_header]


def test_no_altered_token_opens(pytestconfig):
    """S1: 20,000 by default, a million with --long."""
    rng = random.Random(5297)
    genuine = [
        seal(changed(CLICK, link_index=index, account=index % 3, send_id=uuid7(index, bytes(10))), DOMAIN, KEYRING)
        for index in range(100)
    ]
    tokens = [base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)) for text in genuine]
    known = set(tokens)
    tried = 0
    while tried < (1_000_000 if pytestconfig.getoption("long") else 20_000):
        token, other = rng.sample(tokens, 2)
        alteration = rng.choice(ALTERATIONS)
        altered = alteration(rng, token, other)
        if altered in known:
            continue
        tried += 1
        try:
            payload = open_token(base64.urlsafe_b64encode(altered).rstrip(b"=").decode(), DOMAIN, KEYRING)
        except TokenError:
            continue
        pytest.fail(f"{alteration.__name__}: {altered.hex()} opened as {payload}")
