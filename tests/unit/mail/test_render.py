from datetime import UTC, datetime
from uuid import UUID

import msgspec
import pytest

from waypost.config import HostPort
from waypost.db.states import PrivacyMode
from waypost.db.tables import Content, Profile, Send
from waypost.links.keyring import Keyring
from waypost.links.policy import Policy
from waypost.links.rewrite import pixel_markup
from waypost.links.token import IpPolicy, Kind, Payload, open_token
from waypost.links.url import parse_url
from waypost.mail.render import UNTRACKED, Rendered, link_origin, render

NOW = datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC)
SEND_ID = UUID("0190f5fe-7c00-7a00-8000-0123456789ab")
KEYRING = Keyring.new(bytes(range(64)))
ORIGIN = "https://links.example.com"
PSEUDONYM = UUID("019cb7d4-0000-7000-8000-00000000000a")
HTML = '<body>\r\n<a href="https://example.net/?a=1&amp;b=2">A</a>\r\n<a href=mailto:x@example.net>M</a> \n</body>\r\n'


def send(**changes) -> Send:
    fields = {
        "send_id": SEND_ID,
        "send_key": "k" * 27,
        "account": 3,
        "profile": 5,
        "content_id": 1,
        "from_email_address": "shop@example.com",
        "recipient_email_address": "reader@example.net",
        "created_at": NOW,
        "modified_at": NOW,
    }
    return Send(**(fields | changes))


def profile(**changes) -> Profile:
    fields = {
        "public_id": SEND_ID,
        "account": 3,
        "profile_name": "shop",
        "sending_domain": "example.com",
        "link_domain": "links.example.com",
        "created_at": NOW,
        "modified_at": NOW,
    }
    made = Profile(**(fields | changes))
    made.number = 5
    return made


def rendered(html, text=None, policy=None, profile_changes=None, **changes) -> Rendered:
    content = Content(html=html, text=text, created_at=NOW)
    return render(
        send(**changes),
        content,
        profile(**(profile_changes or {})),
        keyring=KEYRING,
        policy=policy or Policy(),
        origin=ORIGIN,
        pseudonym=lambda _: PSEUDONYM,
    )


def opened(url: str) -> Payload:
    tracked = parse_url(url)
    assert tracked is not None
    return open_token(tracked.token, tracked.link_domain, KEYRING, kind=tracked.kind)


def click_url_in(html: str) -> str:
    return html.split('href="')[1].split('"', maxsplit=1)[0]


def test_a_tracked_link_says_who_sent_what_and_where_it_leads():
    html = rendered(HTML, click_tracking=True).html
    url = click_url_in(html)
    assert url.startswith("https://links.example.com/c/")
    assert opened(url) == Payload(
        kind=Kind.CLICK,
        account=3,
        profile=5,
        send_id=SEND_ID,
        link_index=0,
        destination="https://example.net/?a=1&b=2",
    )
    assert html.replace(url, "https://example.net/?a=1&amp;b=2") == HTML, "R6, nothing else changes"


def test_the_open_pixel_goes_in_with_or_without_click_tracking():
    plain = rendered(HTML, open_tracking=True).html
    url = plain.split('src="')[1].split('"')[0]
    assert opened(url) == Payload(kind=Kind.OPEN, account=3, profile=5, send_id=SEND_ID)
    assert plain.replace(pixel_markup(url), "") == HTML
    both = rendered(HTML, open_tracking=True, click_tracking=True).html
    assert both.replace(pixel_markup(url), "") == rendered(HTML, click_tracking=True).html


def test_without_a_body_end_tag_the_pixel_goes_to_the_end():
    assert rendered("<p>Hi", open_tracking=True).html.startswith("<p>Hi<img ")


@pytest.mark.parametrize(
    ("html", "text", "expected"),
    [
        (HTML, "t \r\n", Rendered(HTML, "t \r\n")),
        (HTML, None, Rendered(HTML, None)),
        (HTML, "", Rendered(HTML, None)),
        ("", "t", Rendered(None, "t")),
        (None, "t", Rendered(None, "t")),
        (None, None, Rendered(None, None)),
    ],
)
def test_without_tracking_parts_stay_as_they_are_and_empty_ones_go(html, text, expected):
    assert rendered(html, text) == expected


def test_text_is_never_changed():
    text = "see https://example.net/ \r\n"
    assert rendered(HTML, text, click_tracking=True, open_tracking=True).text == text


def test_every_attempt_renders_the_same():
    assert rendered(HTML, click_tracking=True, open_tracking=True) == rendered(
        HTML, click_tracking=True, open_tracking=True
    )


@pytest.mark.parametrize("fault", [{"policy": "broken"}, {"profile_changes": {"link_domain": "NOT A HOST"}}])
def test_a_rewriting_failure_sends_the_message_untracked_and_says_so(fault, caplog):
    assert rendered(HTML, "t", click_tracking=True, **fault) == Rendered(HTML, "t", UNTRACKED)
    assert str(SEND_ID) in caplog.text


@pytest.mark.parametrize(
    ("link_domain", "origin"),
    [
        ("localhost", "http://localhost:8026"),
        ("links.example.com", "https://links.example.com"),
        ("x.localhost", "https://x.localhost"),
    ],
)
def test_links_are_https_but_on_development_domains(settings, link_domain, origin):
    edge = msgspec.structs.replace(settings.edge, listen=HostPort("127.0.0.1", 8026))
    assert link_origin(link_domain, settings.links, edge) == origin


@pytest.mark.parametrize(
    ("mode", "send_id"),
    [
        (None, SEND_ID),
        (PrivacyMode.IDENTIFIED, SEND_ID),
        (PrivacyMode.PSEUDONYMOUS, PSEUDONYM),
        (PrivacyMode.ANONYMOUS, None),
    ],
)
def test_links_and_pixel_say_no_more_of_the_reader_than_they_may(mode, send_id):
    tracked = rendered(HTML, click_tracking=True, open_tracking=True, privacy_mode=mode, ip_policy=IpPolicy.TRUNCATED)
    click = opened(click_url_in(tracked.html))
    pixel = opened(tracked.html.split('src="')[1].split('"', maxsplit=1)[0])
    assert (click.send_id, click.ip_policy, click.destination) == (
        send_id,
        IpPolicy.TRUNCATED,
        "https://example.net/?a=1&b=2",
    )
    assert (pixel.send_id, pixel.ip_policy) == (send_id, IpPolicy.TRUNCATED)
    assert click.privacy == (mode or PrivacyMode.IDENTIFIED)


def test_a_reader_who_is_not_to_be_tracked_gets_what_was_submitted():
    off = rendered(HTML, click_tracking=True, open_tracking=True, privacy_mode=PrivacyMode.OFF)
    assert off == Rendered(HTML, None)
