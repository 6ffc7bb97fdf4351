"""Run the demo: `make demo`, or `make demo EXIT=1` to stop when it is done."""

import argparse
import contextlib
import signal
import sys
from pathlib import Path

import click

from demo import folder, messages, show, story
from demo.api import Api
from demo.product import NotReadyError, Product, free_port
from demo.sink import Sink

FOLDER = Path("demo-data")
PORTS = (8025, 8026, 0)
SENDING_DOMAIN = "post.example"
OWNER = "owner@post.example"
PROBLEMS_SHOWN = 5
INTERRUPTED = 130  # as shells report Ctrl+C


def main() -> int:
    """0 when everything was right, also when Ctrl+C ends it after that."""
    arguments = argparse.ArgumentParser(prog="make demo", description=__doc__)
    arguments.add_argument("--exit", action="store_true", help="stop when it is done")
    stay = not arguments.parse_args().exit
    # SIGTERM as Ctrl+C: else `waypost up` would be left behind.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with folder.fresh(FOLDER):
            return 0 if _run(stay=stay) else 1
    except folder.BusyError as error:
        show.line(str(error))
        return 1
    except (KeyboardInterrupt, click.Abort):  # Abort: within a waypost command
        return INTERRUPTED


def _run(*, stay: bool) -> bool:
    with Sink(free_port()) as sink:
        product = Product(FOLDER, sink.port, ports=PORTS)
        try:
            show.heading("Starting Waypost on its embedded stores")
            product.start(show.line)
            return _tell(product, sink, stay=stay)
        except NotReadyError as error:
            show.verdict(right=False, text=str(error))
            return False
        finally:
            product.stop()


def _tell(product: Product, sink: Sink, *, stay: bool) -> bool:
    show.heading("An approved account, an active sending profile, an API key")
    key, secret = product.approved_account(OWNER, SENDING_DOMAIN)
    show.line(f"{OWNER} is approved, sends from {SENDING_DOMAIN}, has its links on localhost, and the key {key}.")

    show.heading("Sending the messages of examples/messages with POST /api/v1/email/send")
    api = Api(product.origin, key, secret)
    sent = story.send(api, messages.load())
    show.heading("What was not tracked, and why")
    story.explain_skipped(sent)

    show.heading("Delivered, opened, clicked")
    delivered = story.take_delivered(sink, sent)
    if len(delivered) < len(sent):
        show.verdict(right=False, text=f"not everything was delivered; the log is {product.log}")
        return False
    changed = [each.message.name for each in sent if not story.only_links_changed(each, delivered[each.send_id])]
    visits, wrong_answers = story.click(sent, delivered)

    show.heading("Who clicked what, when, from which address, with what: GET /api/v1/email/send/:id/events")
    seen = story.read_back(api, sent, visits)
    wrong_events = story.differences(visits, seen)
    miscounted = story.miscounted(api, visits)

    show.heading(f"Checked, after {show.elapsed()}")
    clicks = sum(visit.link is not None for visit in visits)
    checks = (
        (f"{len(sent)} messages arrived with no byte changed but their tracked links", changed),
        (f"{clicks} visits to tracked links led exactly where they were meant to", wrong_answers),
        (f"{len(visits)} visits came back as exactly one event each", wrong_events),
        ("GET /api/v1/analysis/summary counts them, HEAD and prefetch left out", miscounted),
    )
    for text, problems in checks:
        show.verdict(right=not problems, text=text)
        for problem in problems[:PROBLEMS_SHOWN]:
            show.line(f"       {problem}")
    if stay:
        with contextlib.suppress(KeyboardInterrupt):
            _stay(product, key, secret, min(sent, key=lambda each: len(each.tracked)))
    return not any(problems for _, problems in checks)


def _stay(product: Product, key: str, secret: str, shown: story.Sent) -> None:
    origin = product.origin
    show.heading("It stays up: Ctrl+C stops it")
    show.line(f"address  {origin}")
    show.line(f"key      {key}:{secret}")
    show.line(f"try      # what became of the message {shown.message.name}")
    show.line(f"         token=$(curl -s -X POST '{origin}/oauth/token?grant_type=password' -u '{key}:{secret}' |")
    show.line("""           python3 -c 'import json, sys; print(json.load(sys.stdin)["access_token"])')""")
    events = f"{origin}/api/v1/email/send/{shown.send_id}/events"
    show.line(f'         curl -s -H "Authorization: Bearer $token" {events} | python3 -m json.tool')
    for line in product.process.stdout:
        show.line(line.rstrip())


if __name__ == "__main__":
    sys.exit(main())
