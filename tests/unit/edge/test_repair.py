"""L4, tolerance: what mail programs do to links is undone. Nothing else opens: `test_altered_tokens.py`."""

import time
from urllib.parse import unquote_to_bytes

import pytest

from waypost.edge.decide import decide
from waypost.edge.repair import DAMAGES, candidates
from waypost.links.keyring import Keyring
from waypost.links.token import Kind
from waypost.spool.counters import Seen

from .conftest import DESTINATION
from .test_decide import NOW, RANDOMNESS


def percent(text):
    return "".join(f"%{ord(character):02X}" for character in text)


def split(token, inserted):
    middle = len(token) // 2
    return token[:middle] + inserted + token[middle:]


# What is done to the path of a click; {name: (token) -> path as it arrives}.
SEEN_IN_MAIL = {
    **{
        f"followed by {mark!r}": lambda token, mark=mark: f"/c/{token}{mark}"
        for mark in (*".,)>'\";=]}*!|/_-", "&gt;", "&quot;", "...", ").", "=20", "=3D", "=0D=0A", "%20", "%0A", "%3E",
                     "%22", "%C2%A0", "\xc2\xa0", "\xe2\x80\x8b")
    },
    "text appended without a question mark": lambda token: f"/c/{token}&utm_source=news&fbclid=x",
    "appended after an entity": lambda token: f"/c/{token}&amp;x=1",
    "a soft line break inside": lambda token: f"/c/{split(token, '=%0D%0A')}",
    "a soft line break, encoded": lambda token: f"/c/{split(token, '%3D%0D%0A')}",
    "a soft line break that lost its line end": lambda token: f"/c/{split(token, '=')}",
    "wrapped": lambda token: f"/c/{split(token, '%0A')}",
    "wrapped and indented": lambda token: f"/c/{split(token, '%0D%0A%20%20%20')}",
    "a blank inside": lambda token: f"/c/{split(token, '%20')}",
    "a soft hyphen inside": lambda token: f"/c/{split(token, '%C2%AD')}",
    "a zero-width space inside": lambda token: f"/c/{split(token, '%E2%80%8B')}",
    "encoded": lambda token: f"/c/{percent(token)}",
    "encoded twice": lambda token: f"/c/{percent(token)}".replace("%", "%25"),
    "dashes and underscores encoded": lambda token: f"/c/{token.replace('-', '%2D').replace('_', '%5f')}!",
    "typographic hyphens": lambda token: f"/c/{token.replace('-', '%E2%80%91')}.",
    "slashes encoded": lambda token: f"/c%2F{token}",
    "the route in capitals": lambda token: f"/C/{token}",
    "a doubled slash": lambda token: f"//c//{token}",
}  # fmt: skip


@pytest.mark.parametrize("name", SEEN_IN_MAIL)
def test_damage_done_by_mail_programs_is_undone(name, edge, token, request_for):
    for number in range(20):  # tokens that end with a dash or an underscore among them
        path = SEEN_IN_MAIL[name](token(link_index=number))
        decision = decide(request_for(path), edge, NOW, RANDOMNESS)
        assert (decision.seen, decision.repaired) == (Seen.CLICK, True), path
        assert decision.answer.headers[0] == ("Location", DESTINATION)
        assert decision.hit.link_index == number


def test_every_kind_of_damage_of_the_table_is_among_them(token):
    paths = [SEEN_IN_MAIL[name](token()) for name in SEEN_IN_MAIL]
    texts = [unquote_to_bytes(unquote_to_bytes(path.encode("latin-1"))).decode("utf-8", "ignore") for path in paths]
    for damage in DAMAGES:
        assert any(damage.pattern.search(text) for text in texts), damage.name


def test_an_open_s_pixel_is_repaired_too(edge, token, request_for):
    text = token(kind=Kind.OPEN)
    for path in (f"/o/{text}%2Egif", f"/o/{text}.gif.", f"/o/{text}", f"/O/{split(text, '%20')}.gif"):
        decision = decide(request_for(path), edge, NOW, RANDOMNESS)
        assert (decision.seen, decision.repaired) == (Seen.OPEN, True), path


def test_an_undamaged_link_is_not_called_repaired(edge, token, request_for):
    assert not decide(request_for(f"/c/{token()}"), edge, NOW, RANDOMNESS).repaired


@pytest.mark.parametrize(
    "path",
    ["/", "/c/", "/c", "/x/abc", "/c/%", "/c/%GG", "/c/%00", "/c/ä", "/c/=", "/where/", "/c/" + "%25" * 50_000,
     "=" * 120_000, "/" * 120_000, "/c/" + "=\t" * 60_000, "/c/" + "\xa0" * 100_000, "/c/" + "-" * 120_000],
    ids=lambda path: path[:12],
)  # fmt: skip
def test_any_path_is_looked_at_in_no_time_and_gives_four_candidates_at_most(path):
    started = time.thread_time()
    assert len(list(candidates(path))) <= 4
    assert time.thread_time() - started < 0.5


def test_no_repair_opens_a_token_of_another_domain_or_keyring(edge, token, request_for):
    foreign = token("links.other.example")
    stranger = type(edge)("edge-0", Keyring.new(bytes(64)))
    for damaged in SEEN_IN_MAIL.values():
        assert decide(request_for(damaged(foreign)), edge, NOW, RANDOMNESS).hit is None
        assert decide(request_for(damaged(token())), stranger, NOW, RANDOMNESS).hit is None
