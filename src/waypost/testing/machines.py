"""Machines that follow links and fetch pixels, and the people whose mail they look through.

When sweeps begin and how fast they are is what a sender counted in 836 of them
(https://github.com/putyourlightson/craft-campaign/issues/546).
"""

from collections.abc import Callable, Sequence

from waypost.events.hit import Outcome
from waypost.testing import browsers
from waypost.testing.browsers import Headers, borrowed, driven, program
from waypost.testing.draw import CLOUDS, SECURITY, SERVERS, Draw, Place
from waypost.testing.people import Recipients, clicks
from waypost.testing.visit import Visit, content_of


def scanner(draw: Draw) -> tuple[Place, Headers]:
    """What looks mail through: mostly a program with a borrowed name, in a cloud or at the company that made it."""
    kind = draw.rng.random()
    place = draw.place(draw.one((CLOUDS, CLOUDS, SECURITY, SERVERS)), known=0.85)
    if kind < 0.1:  # noqa: PLR2004 - shares
        return place, program(draw.one(browsers.SCANNERS))
    if kind < 0.15:  # noqa: PLR2004
        return place, program(browsers.OLD_CHROME_79)
    if kind < 0.65:  # noqa: PLR2004
        return place, borrowed(draw.worn(), language=draw.chance(0.3))
    return place, driven(draw.worn()) if draw.chance(0.4) else draw.worn()


def begins(draw: Draw) -> float:
    """Seconds after delivery until a sweep begins."""
    share = draw.rng.random()
    for until, low, high in ((0.005, 0, 10), (0.027, 10, 20), (0.691, 20, 60), (0.974, 60, 300), (0.993, 300, 1800)):
        if share < until:
            return draw.between(low, high)
    return draw.between(3600, 86_400)


def sweep(draw: Draw, links: Sequence[str], start: float, gap: Callable[[], float]) -> list[Visit]:
    """Every link in turn, the pixel first as often as not."""
    place, headers = scanner(draw)
    visits = [Visit(start - draw.between(0.5, 20), place, headers, person=False, link=None)] if draw.chance(0.5) else []
    at = start
    for link in range(len(links)):
        if draw.chance(0.15):
            visits.append(Visit(at, place, headers, person=False, link=link, outcome=Outcome.HEAD))
            at += draw.between(0.05, 0.3)
        visits.append(Visit(at, place, headers, person=False, link=link))
        at += gap()
    return visits


def sandbox(draw: Draw, links: Sequence[str]) -> Recipients:
    """Follows everything within a second."""
    return [sweep(draw, links, begins(draw), lambda: draw.between(0.005, 0.15))]


def slow_sandbox(draw: Draw, links: Sequence[str]) -> Recipients:
    """Follows everything, and looks at each page for a while."""
    return [sweep(draw, links, begins(draw), lambda: draw.between(0.8, 5))]


def time_of_click(draw: Draw, links: Sequence[str]) -> Recipients:
    """Checks a link while the person who clicked it waits."""
    place, headers = scanner(draw)
    person = clicks(draw, links, max(10.0, draw.about(1800, 1.5)), draw.home(), draw.browser())
    checks = [
        Visit(visit.at - draw.between(0.3, 12), place, headers, person=False, link=visit.link)
        for visit in person
        if draw.chance(0.9)
    ]
    return [sorted([*person, *checks], key=lambda visit: visit.at)]


def antivirus(draw: Draw, links: Sequence[str]) -> Recipients:
    """A program on the reader's own computer looks first, from the same address, with the same browser's name."""
    place, headers = draw.home(), draw.worn()
    person = clicks(draw, links, max(10.0, draw.about(1800, 1.5)), place, headers)
    outcome = Outcome.HEAD if draw.chance(0.5) else Outcome.ANSWERED
    checks = [
        Visit(visit.at - draw.between(0.1, 2), place, borrowed(headers), person=False, link=visit.link, outcome=outcome)
        for visit in person
    ]
    return [[*person, *checks]]


def behind_a_gateway(draw: Draw, links: Sequence[str]) -> Recipients:
    """A sweep when the message comes, and its reader seconds or hours later."""
    swept = sweep(draw, links, begins(draw), lambda: draw.between(0.005, 2))
    after = 12.0 if draw.chance(0.3) else draw.about(900, 1.5)
    return [[*swept, *clicks(draw, links, swept[-1].at + after, draw.home(), draw.browser())]]


def fleet(draw: Draw, links: Sequence[str]) -> Recipients:
    """A gateway with addresses everywhere and the names of ordinary browsers."""
    organisations = draw.one((CLOUDS, SERVERS, SECURITY, ("",)))
    places = [draw.place(organisations, known=0.8) for _ in range(draw.rng.randrange(5, 13))]
    agents = [draw.worn() for _ in range(draw.rng.randrange(1, 5))]
    is_bare = draw.chance(0.6)
    start, length = begins(draw), draw.between(3, 15)
    visits = []
    for number in range(draw.rng.randrange(len(places), 30)):
        headers = draw.one(agents)
        visits.append(
            Visit(
                start + draw.between(0, length),
                places[number % len(places)],
                borrowed(headers) if is_bare else headers,
                person=False,
                link=draw.rng.randrange(len(links)),
            )
        )
    return [visits]


def probe(draw: Draw, links: Sequence[str]) -> Recipients:
    """A gateway that looks at the first link of each copy of a mailing, as the copies come in."""
    place, headers = scanner(draw)
    last = min(len(links) - 1, 0 if draw.chance(0.7) else 1)
    start = draw.between(1, 60)
    return [
        [Visit(start + draw.between(0, 6), place, headers, person=False, link=last)]
        for _ in range(1 if draw.chance(0.5) else draw.rng.randrange(12, 60))
    ]


def unsubscriber(draw: Draw, links: Sequence[str]) -> Recipients:
    """Follows the link to unsubscribe and some others within a minute."""
    place, headers = scanner(draw)
    start, content = begins(draw), content_of(links)
    if content == len(links):
        return sandbox(draw, links)
    chosen = draw.rng.sample(range(content), min(content, draw.rng.randrange(1, 4)))
    return [
        [
            Visit(start + draw.between(0, 55), place, headers, person=False, link=link)
            for link in (*chosen, len(links) - 1)
        ]
    ]


def head_checker(draw: Draw, links: Sequence[str]) -> Recipients:
    """Asks for the headers of a link, then for all of it."""
    place, headers = scanner(draw)
    at, visits = begins(draw), []
    for link in range(min(len(links), draw.rng.randrange(1, 4))):
        visits.append(Visit(at, place, headers, person=False, link=link, outcome=Outcome.HEAD))
        visits.append(Visit(at + draw.between(0.05, 0.8), place, headers, person=False, link=link))
        at += draw.between(1, 8)
    return [visits]


def second_look(draw: Draw, links: Sequence[str]) -> Recipients:
    """A sweep on arrival, and one link again when the sender's name got worse."""
    swept = sweep(draw, links, begins(draw), lambda: draw.between(0.005, 0.3))
    again = swept[-1]
    return [[*swept, Visit(again.at + draw.about(1800, 1), again.place, again.headers, person=False, link=again.link)]]


def link_preview(draw: Draw, links: Sequence[str]) -> Recipients:
    """Somebody passes a link on in a chat, whose program shows what is behind it; whoever gets it may look, too."""
    link, at = draw.rng.randrange(content_of(links)), max(60.0, draw.about(3600, 1.5))
    place = draw.place(draw.one((CLOUDS, SERVERS)))
    preview = Visit(at, place, program(draw.one(browsers.PREVIEWS)), person=False, link=link)
    friend = Visit(at + draw.about(60, 1.5), draw.home(), draw.browser(), person=True, link=link)
    return [[preview, friend] if draw.chance(0.5) else [preview]]


def image_proxies(draw: Draw, _: Sequence[str]) -> Recipients:
    """Apple's and Google's, which fetch images when a message comes, read or not."""
    apple, google = Place("10.252.1.7", "AKAMAI-ASN1"), Place("10.250.1.7", "GOOGLE")
    if draw.chance(0.7):
        return [[Visit(max(1.0, draw.about(300, 1.5)), apple, program(browsers.APPLE_PROXY), person=False, link=None)]]
    return [[Visit(draw.between(0.5, 4), google, program(browsers.GMAIL_PREFETCH), person=False, link=None)]]


def uptime_monitor(draw: Draw, links: Sequence[str]) -> Recipients:
    """Somebody put a link of the message into a monitor, which asks for it for ever; some with a browser's name."""
    place = draw.place(draw.one((CLOUDS, SERVERS)))
    headers = program(draw.one(browsers.MONITORS)) if draw.chance(0.7) else borrowed(draw.worn())
    outcome = Outcome.HEAD if draw.chance(0.2) else Outcome.ANSWERED
    every, at = draw.one((60.0, 300.0)), draw.about(7200, 1)
    link = draw.rng.randrange(content_of(links))
    return [
        [
            Visit(at + every * n + draw.between(0, 1), place, headers, person=False, link=link, outcome=outcome)
            for n in range(draw.rng.randrange(5, 20))
        ]
    ]


def disguised(draw: Draw, links: Sequence[str]) -> Recipients:
    """A real browser in somebody's home network that follows one link: nothing tells it from a reader."""
    return [[Visit(begins(draw), draw.home(), draw.worn(), person=False, link=draw.rng.randrange(content_of(links)))]]
