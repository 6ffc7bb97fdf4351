"""The main job, step by step: send, deliver, click, read back. Each step prints what happened and returns it."""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from demo import readers, show
from demo.api import Api
from demo.messages import Message
from demo.readers import READERS
from demo.sink import Delivered, Sink
from waypost.links import pixel_markup

DELIVERY_SECONDS = 15
# A click is readable through the API within 3 seconds; the machine may be busy with other things.
EVENTS_SECONDS = 10
# An event stored twice would follow within one segment.
LATE_SECONDS = 1.2
ROWS_PER_MESSAGE = 5


@dataclass(frozen=True, slots=True)
class Sent:
    """A message the API took."""

    message: Message
    send_id: str
    links: list[dict[str, Any]]
    """Of the rewrite report."""

    @property
    def tracked(self) -> list[dict[str, Any]]:
        """Those that were replaced, in source order."""
        return [link for link in self.links if link["decision"] == "tracked"]


@dataclass(frozen=True, slots=True)
class Visit:
    """One request of a reader, as the API has to tell it."""

    send_id: str
    event: str
    outcome: str
    link: tuple[int, str] | None
    """Index and destination."""
    ip: str
    user_agent: str


@dataclass(frozen=True, slots=True)
class Planned:
    """A request to be made."""

    visit: Visit
    url: str
    method: str
    headers: dict[str, str]


def send(api: Api, messages: list[Message]) -> list[Sent]:
    """Every message through `POST /api/v1/email/send`."""
    sent = []
    for message in messages:
        answer = api.post("/api/v1/email/send", message.body)
        sent.append(Sent(message, answer["send_id"], answer["link_report"]["links"]))
    show.table(
        ("message", "tracked", "skipped", "subject"),
        [
            (
                each.message.name,
                f"{len(each.tracked):7}",
                f"{len(each.links) - len(each.tracked):7}",
                each.message.body["subject"],
            )
            for each in sent
        ],
    )
    return sent


def explain_skipped(sent: list[Sent]) -> None:
    """What was left as it was written, and why."""
    written: dict[tuple[str, str], list[str]] = {}
    for each in sent:
        html = each.message.body["content_html"]
        for link in each.links:
            if link["decision"] == "skipped":
                value = " ".join(html[link["start"] : link["end"]].split())
                written.setdefault((each.message.name, link["reason"]), []).append(value)
    show.table(
        ("message", "reason", "left as written"),
        [
            (name, reason, f"{show.short(values[0], 60)}{f'  and {len(values) - 1} more' if values[1:] else ''}")
            for (name, reason), values in written.items()
        ],
    )


def take_delivered(sink: Sink, sent: list[Sent]) -> dict[str, Delivered]:
    """What arrived in the sink, by send id."""
    wanted = {each.message.body["recipient_email_address"]: each.send_id for each in sent}
    _wait(DELIVERY_SECONDS, lambda: wanted.keys() <= sink.delivered.keys())
    delivered = {send_id: sink.delivered[address] for address, send_id in wanted.items() if address in sink.delivered}
    show.line(f"{len(delivered)} of {len(sent)} messages delivered to the local SMTP sink")
    return delivered


def only_links_changed(sent: Sent, delivered: Delivered) -> bool:
    """Whether the HTML that arrived is the HTML that was sent, but for the tracked links and the open pixel."""
    html, links = sent.message.body["content_html"], delivered.links
    if len(links) != len(sent.tracked):
        return False
    parts, end = [], 0
    for link, url in zip(sent.tracked, links, strict=True):
        parts += [html[end : link["start"]], url]
        end = link["end"]
    expected = "".join([*parts, html[end:]])
    pixel = pixel_markup(delivered.pixel) if delivered.pixel else ""
    return bool(pixel) == sent.message.body["open_tracking"] and delivered.html.replace(pixel, "", 1) == expected


def click(sent: list[Sent], delivered: dict[str, Delivered]) -> tuple[list[Visit], list[str]]:
    """Open every message and follow every link, as a dozen readers; the visits made, and what went wrong."""
    visits, wrong = [], []
    for plan in _plans(sent, delivered):
        answer = readers.request(plan.url, plan.visit.ip, plan.headers, plan.method)
        visits.append(plan.visit)
        expected = (302, plan.visit.link[1]) if plan.visit.link else (200, None)
        if (answer.status, answer.location) != expected:
            wrong.append(f"{plan.url} answered {answer.status} {answer.location}, not {expected}")
    kinds = Counter((visit.event, visit.outcome) for visit in visits)
    addresses = len({visit.ip for visit in visits})
    show.line(
        f"{kinds['click', 'answered']} clicks and {kinds['open', 'answered']} opens from {addresses} addresses, "
        f"{kinds['click', 'head']} HEAD by a link checker, {kinds['click', 'prefetch']} prefetch by a browser"
    )
    return visits, wrong


def _plans(sent: list[Sent], delivered: dict[str, Delivered]) -> Iterator[Planned]:
    for number, each in enumerate(sent):
        arrived = delivered[each.send_id]
        reader = READERS[number % len(READERS)]
        if arrived.pixel:
            yield _planned(each, None, arrived.pixel, reader, reader.mail_app, "open")
        # The twins of an Outlook button are one link: equal URLs, one click.
        links = {url: link for link, url in zip(each.tracked, arrived.links, strict=True)}
        for position, (url, link) in enumerate(links.items()):
            reader = READERS[(number * 5 + position) % len(READERS)]
            yield _planned(each, link, url, reader, reader.browser, "click")
        url, link = next(iter(links.items()))
        if each.message.name == "newsletter":
            checker = "LinkCheck/1.0 (+https://linkcheck.example/bot)"
            yield _planned(each, link, url, READERS[0], checker, "click", outcome="head", method="HEAD")
        if each.message.name == "receipt":
            yield _planned(
                each, link, url, READERS[1], READERS[1].browser, "click", outcome="prefetch", purpose="prefetch"
            )


def _planned(
    sent: Sent,
    link: dict[str, Any] | None,
    url: str,
    reader: readers.Reader,
    user_agent: str,
    event: str,
    *,
    outcome: str = "answered",
    method: str = "GET",
    purpose: str = "",
) -> Planned:
    what = (link["index"], link["destination"]) if link else None
    headers = reader.headers(user_agent) | ({"Sec-Purpose": purpose} if purpose else {})
    return Planned(Visit(sent.send_id, event, outcome, what, reader.address, user_agent), url, method, headers)


def read_back(api: Api, sent: list[Sent], visits: list[Visit]) -> Counter[Visit]:
    """Who clicked what, when, from which address, with what, as the API tells it; each event counted as a visit."""
    events: list[dict[str, Any]] = []

    def complete() -> bool:
        events[:] = [event for each in sent for event in api.get(f"/api/v1/email/send/{each.send_id}/events")]
        return sum(event["outcome"] is not None for event in events) >= len(visits)

    _wait(EVENTS_SECONDS, complete)
    time.sleep(LATE_SECONDS)
    complete()
    seen = [event for event in events if event["outcome"] is not None]
    show.table(("who", "what", "when", "from", "with"), _rows(sent, seen))
    return Counter(
        Visit(
            event["send_id"],
            event["event"],
            event["outcome"],
            (event["link"]["index"], event["link"]["url"]) if event["link"] else None,
            event["ip"],
            event["user_agent"],
        )
        for event in seen
    )


def _rows(sent: list[Sent], events: list[dict[str, Any]]) -> Iterator[tuple[str, ...]]:
    for each in sent:
        mine = [event for event in events if event["send_id"] == each.send_id]
        shown = [
            event for number, event in enumerate(mine) if number < ROWS_PER_MESSAGE or event["outcome"] != "answered"
        ]
        for event in shown:
            yield (
                event["recipient_email_address"].partition("@")[0],
                _what(event),
                time.strftime("%H:%M:%S", time.localtime(event["occurred_at_utc"])),
                event["ip"],
                _with(event),
            )
        if len(shown) < len(mine):
            yield ("", f"… and {len(mine) - len(shown)} more in {each.message.name}", "", "", "")


def _what(event: dict[str, Any]) -> str:
    if event["event"] == "open":
        return "opened"
    _, _, address = event["link"]["url"].partition("://")
    page, query, _ = address.partition("?")
    not_counted = "" if event["outcome"] == "answered" else f"{event['outcome']}, not counted: "
    return not_counted + show.short(page + ("?…" if query else ""), 52 - len(not_counted))


def _with(event: dict[str, Any]) -> str:
    client, system = (" ".join(filter(None, (event[of]["name"], event[of]["version"]))) for of in ("client", "os"))
    if event["image_proxy"]:
        return f"image proxy of {event['image_proxy']}"
    return " on ".join(filter(None, (client, system))) or show.short(event["user_agent"], 40)


def miscounted(api: Api, visits: list[Visit]) -> list[str]:
    """Where the account's summary does not count what readers did: HEAD and prefetch left out."""
    counted = api.get("/api/v1/analysis/summary")["group_by"]
    return [
        f"{name}: {counted[name]['current']}, not {expected}"
        for name in ("click", "open")
        if counted[name]["current"]
        != (expected := sum((visit.event, visit.outcome) == (name, "answered") for visit in visits))
    ]


def differences(expected: Iterable[Visit], seen: Counter[Visit]) -> list[str]:
    """Visits that did not become exactly one event, in words."""
    wanted = Counter(expected)
    return [
        f"{visit.event} {visit.link} from {visit.ip}: {seen[visit]} events, not {wanted[visit]}"
        for visit in wanted.keys() | seen.keys()
        if wanted[visit] != seen[visit]
    ]


def _wait(seconds: float, done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + seconds
    while not done() and time.monotonic() < deadline:
        time.sleep(0.1)
