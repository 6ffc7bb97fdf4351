"""E10: what is stored of a click in each privacy mode, by an installation as an operator has it."""

import json
from urllib.request import Request, urlopen

import pytest
from demo import readers
from tests.acceptance.operator import eventually

EXPORT = "/api/v1/analysis/export?event=click"
# The edge takes this machine for a TLS front, and believes what it says of the client.
READER = {"X-Forwarded-For": "81.2.69.142", "User-Agent": "Mozilla/5.0"}


def stored(installation, url):
    """The clicks on a link that the export of the account has, after they came in."""

    def clicks():
        request = Request(installation.api.origin + EXPORT, headers=installation.api._headers)
        with urlopen(request, timeout=60) as answer:
            return [event for event in map(json.loads, answer) if event["link"]["url"] == url]

    eventually(lambda: len(clicks()) == 2)
    return clicks()


def tail(installation, url):
    """To whom `waypost events tail` says that a link was sent."""
    lines = installation.product.command("events", "tail", "-n", "100", *installation.product._options).splitlines()
    return {line.split()[4] for line in lines if line.endswith(url)}


@pytest.mark.parametrize(
    ("mode", "address", "is_same_reader"),
    [
        ("identified", "81.2.69.142", True),
        ("pseudonymous", "81.2.69.0", True),
        ("anonymous", "81.2.69.0", False),
    ],
)
def test_a_click_tells_as_much_as_its_mode_lets_it(installation, mode, address, is_same_reader):
    recipient, url = f"{mode}@inbox.example", f"https://www.shop.example/{mode}"
    send_id, [link] = installation.send(recipient, f'<a href="{url}">Your order</a>', privacy_mode=mode)
    for _ in range(2):
        assert readers.request(link, "127.0.0.9", READER).location == url

    events = stored(installation, url)

    is_known = mode == "identified"
    assert [event["ip"] for event in events] == [address] * 2
    assert [event["recipient_email_address"] for event in events] == [recipient if is_known else None] * 2
    ids = {event["send_id"] for event in events}
    assert (len(ids), None not in ids, send_id in ids) == (1, is_same_reader, is_known)
    assert len(installation.clicks(send_id)) == (2 if is_known else 0)
    assert tail(installation, url) == {recipient if is_known else "-"}
    said = installation.product.command("who", recipient, *installation.product._options)
    assert said.startswith("Yes: " if is_known else "Not known: ")


def test_without_consent_the_mail_has_the_links_of_its_sender(installation):
    html = '<a href="https://www.shop.example/off">Your order</a>'
    _, links = installation.send("off@inbox.example", html, privacy_mode="off")
    assert links == []
    assert 'href="https://www.shop.example/off"' in installation.sink.delivered["off@inbox.example"].html
