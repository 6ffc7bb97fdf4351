"""People who read their mail. Each scenario is what one message brings about: the visits of each of its recipients."""

from collections.abc import Sequence
from typing import Final

from waypost.events.hit import Outcome
from waypost.testing import browsers
from waypost.testing.browsers import IPHONE, MAC, WINDOWS, Headers, ahead, chromium, firefox, image, program, safari
from waypost.testing.draw import CLOUDS, PHONES, RELAYS, TUNNELS, Draw, Place
from waypost.testing.visit import Visit, content_of

DAY: Final = 86_400.0
Recipients = list[list[Visit]]


def clicks(
    draw: Draw, links: Sequence[str], start: float, place: Place, headers: Headers, *, most: int = 3, pause: float = 40
) -> list[Visit]:
    """Somebody follows a link or a few, one after the other."""
    visits, at = [], start
    for _ in range(1 if draw.chance(0.6) else draw.rng.randrange(1, most + 1)):
        visits.append(Visit(at, place, headers, person=True, link=draw.rng.randrange(content_of(links))))
        at += max(1.2, draw.about(pause, 0.8))
    return visits


def opens(draw: Draw, at: float, place: Place, headers: Headers) -> list[Visit]:
    """She opens the message in whatever she reads mail with; some show no images."""
    kind = draw.rng.randrange(10)
    google, yahoo = Place("10.250.1.7", "GOOGLE"), Place("10.251.1.7", "YAHOO-1")
    if kind < 3:  # noqa: PLR2004 - of ten
        return [Visit(at, google, program(browsers.GMAIL_PROXY), person=True, link=None)]
    if kind < 4:  # noqa: PLR2004
        return [Visit(at, yahoo, program(browsers.YAHOO_PROXY), person=True, link=None)]
    if kind < 7:  # noqa: PLR2004
        client = draw.one((browsers.OUTLOOK, browsers.APPLE_MAIL, browsers.THUNDERBIRD))
        return [Visit(at, place, program(client), person=True, link=None)]
    return [Visit(at, place, image(headers), person=True, link=None)] if kind < 9 else []  # noqa: PLR2004


def slow(draw: Draw, links: Sequence[str]) -> Recipients:
    """Somewhere between minutes and days later."""
    place, headers = draw.home(), draw.browser()
    start = max(15.0, draw.about(2400, 1.6))
    opened = opens(draw, start - draw.between(3, 12), place, headers)
    return [[*opened, *clicks(draw, links, start, place, headers)]]


def fast(draw: Draw, links: Sequence[str]) -> Recipients:
    """She waits for it, and opens what interests her in tabs."""
    place, headers = draw.home(), draw.browser()
    start = draw.between(4, 60)
    return [[*opens(draw, start - 2, place, headers), *clicks(draw, links, start, place, headers, most=6, pause=3)]]


def returning(draw: Draw, links: Sequence[str]) -> Recipients:
    """She comes back to the message, from the same place or on the way."""
    place, headers = draw.home(), draw.browser()
    phone, mobile = safari(IPHONE, 26.3, draw.language()), draw.place(PHONES)
    visits, start = [], draw.about(1800, 1.2) + 10
    for _ in range(draw.rng.randrange(2, 5)):
        where, what = (mobile, phone) if draw.chance(0.3) else (place, headers)
        visits += clicks(draw, links, start, where, what)
        start += draw.about(6 * 3600, 1.2)
    return [visits]


def forwarding(draw: Draw, links: Sequence[str]) -> Recipients:
    """She passes it on; others follow the links that she got, each from elsewhere, some of them at once."""
    start = draw.about(1200, 1) + 20
    visits = clicks(draw, links, start, draw.home(), draw.browser())
    for _ in range(draw.rng.randrange(1, 5)):
        later = start + 60 + draw.about(900, 1.5)
        visits += clicks(draw, links, later, draw.home(), draw.browser())
    return [visits]


def office(draw: Draw, links: Sequence[str]) -> Recipients:
    """A mailing to a company: one address for everybody, the same browser on every desk."""
    place = draw.home()
    major, language = 146 - draw.rng.randrange(3), draw.language()
    desks = [chromium(WINDOWS, major, language, brand="Microsoft Edge", suffix=f" Edg/{major}.0.0.0")]
    desks += [chromium(WINDOWS, major, language), firefox(WINDOWS, 148, language)]
    readers = [desk for desk in (desks[0], desks[0], desks[0], desks[1], desks[2]) for _ in range(12)]
    return [clicks(draw, links, max(8.0, draw.about(900, 1.3)), place, desk) for desk in readers]


def private(draw: Draw, links: Sequence[str]) -> Recipients:
    """Behind a VPN, Tor or Apple's relay, in a browser that tells little."""
    language = "en-US,en;q=0.9"
    place = draw.place(draw.one((TUNNELS, TUNNELS, RELAYS)))
    headers = draw.one(
        (
            chromium(draw.one((WINDOWS, MAC)), 146, language, brand="Brave", gpc=True),
            firefox(WINDOWS, 140, "en-US,en;q=0.5", gpc=True),  # Tor Browser and LibreWolf pass for Firefox on Windows
            safari(IPHONE, 26.3, language),
            draw.browser(),
        )
    )
    start = max(12.0, draw.about(2400, 1.6))
    return [clicks(draw, links, start, place, headers)]


def cloud_desktop(draw: Draw, links: Sequence[str]) -> Recipients:
    """At a desk that is rented in a cloud: Windows 365, WorkSpaces."""
    start = max(30.0, draw.about(2400, 1.6))
    return [clicks(draw, links, start, draw.place(CLOUDS), chromium(WINDOWS, 146, draw.language()))]


def old_devices(draw: Draw, links: Sequence[str]) -> Recipients:
    """From before Fetch Metadata: what they do not send they never sent."""
    language = draw.language()
    plain = {"accept": "text/html,*/*;q=0.8", "accept-language": language}
    headers = draw.one(
        (
            safari("iPhone; CPU iPhone OS 15_8 like Mac OS X", 15.6, language),
            {"user-agent": browsers.INTERNET_EXPLORER, **plain},
            {"user-agent": browsers.TELEVISION, **plain},
            firefox("Windows NT 6.1; Win64; x64", 78, language),
            chromium("Linux; Android 5.1; SM-J320F", 74, language),
        )
    )
    place, start = draw.home(), max(20.0, draw.about(2400, 1.6))
    return [clicks(draw, links, start, place, headers)]


def changing_lines(draw: Draw, links: Sequence[str]) -> Recipients:
    """On her way out: the phone goes from the house's line to the mobile network, and both have IPv4 and IPv6."""
    headers, start = draw.browser(), max(15.0, draw.about(1800, 1.5))
    places = [draw.home(), draw.place(PHONES), draw.place(PHONES)]
    visits, at = [], start
    for _ in range(draw.rng.randrange(2, 5)):
        visits.append(Visit(at, draw.one(places), headers, person=True, link=draw.rng.randrange(content_of(links))))
        at += draw.between(2, 20)
    return [visits]


def double_clicks(draw: Draw, links: Sequence[str]) -> Recipients:
    """She clicks twice as she is used to, or her browser fetches ahead."""
    place, headers = draw.home(), draw.browser()
    start, link = max(10.0, draw.about(1500, 1.5)), draw.rng.randrange(content_of(links))
    first = Visit(start, place, headers, person=True, link=link)
    if draw.chance(0.5) or "sec-ch-ua" not in headers:
        return [[first, Visit(start + draw.between(0.1, 0.6), place, headers, person=True, link=link)]]
    early = Visit(
        start - draw.between(0.2, 3), place, ahead(headers), person=False, link=link, outcome=Outcome.PREFETCH
    )
    return [[early, first]]


def unsubscribing(draw: Draw, links: Sequence[str]) -> Recipients:
    """She has had enough. One in a hundred follows another link first, in the same minute."""
    if content_of(links) == len(links):
        return slow(draw, links)
    place, headers, at = draw.home(), draw.browser(), max(10.0, draw.about(1500, 1.5))
    visits = [Visit(at, place, headers, person=True, link=len(links) - 1)]
    if draw.chance(0.01):
        visits.insert(0, Visit(at - draw.between(15, 55), place, headers, person=True, link=0))
    return [visits]
