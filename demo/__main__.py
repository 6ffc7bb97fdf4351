"""Run the demo: `make demo`, or `make demo EXIT=1` to stop when it is done."""

import argparse
import shutil
import sys
import threading
from pathlib import Path

from demo import messages, show, story
from demo.api import Api
from demo.product import NotReadyError, Product, free_port
from demo.sink import Sink

DATA = Path("demo-data")
LOG = Path("demo-data.log")
SENDING_DOMAIN = "post.example"
OWNER = "owner@post.example"
PROBLEMS_SHOWN = 5


def main() -> int:
    """0 when everything was right."""
    arguments = argparse.ArgumentParser(prog="make demo", description=__doc__)
    arguments.add_argument("--exit", action="store_true", help="stop when it is done")
    stay = not arguments.parse_args().exit
    shutil.rmtree(DATA, ignore_errors=True)
    LOG.unlink(missing_ok=True)
    api_port, edge_port, sink_port = free_port(8025), free_port(8026), free_port(2525)
    product = Product(
        DATA,
        LOG,
        {
            "WAYPOST_CONTROL__LISTEN": f"127.0.0.1:{api_port}",
            "WAYPOST_EDGE__LISTEN": f"127.0.0.1:{edge_port}",
            "WAYPOST_MAIL__RELAY_PORT": str(sink_port),
        },
    )
    with Sink(sink_port) as sink:
        try:
            show.heading("Starting Waypost on its embedded stores")
            product.start(show.line)
            right = _tell(product, f"http://127.0.0.1:{api_port}", sink, stay=stay)
        except NotReadyError as error:
            show.verdict(right=False, text=str(error))
            right = False
        except KeyboardInterrupt:
            right = True
        finally:
            product.stop()
    return 0 if right else 1


def _tell(product: Product, origin: str, sink: Sink, *, stay: bool) -> bool:
    show.heading("An approved account, an active sending profile, an API key")
    key, secret = _account(product)

    show.heading("Sending the messages of examples/messages with POST /api/v1/email/send")
    api = Api(origin, key, secret)
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

    show.heading(f"Checked, after {show.elapsed()}")
    clicks = sum(visit.link is not None for visit in visits)
    for right, text, problems in (
        (not changed, f"{len(sent)} messages arrived with no byte changed but their tracked links", changed),
        (not wrong_answers, f"{clicks} tracked links led exactly where they were meant to", wrong_answers),
        (not wrong_events, f"{len(visits)} visits came back as exactly one event each", wrong_events),
    ):
        show.verdict(right=right, text=text)
        for problem in problems[:PROBLEMS_SHOWN]:
            show.line(f"       {problem}")
    if stay:
        _stay(origin, key, secret, sent[0].send_id)
    return not (changed or wrong_answers or wrong_events)


def _account(product: Product) -> tuple[str, str]:
    product.command("accounts", "create", "--name", "Examples", "--email", OWNER)
    show.line(product.command("accounts", "approve", OWNER).strip())
    domains = ("--sending-domain", SENDING_DOMAIN, "--link-domain", "localhost")
    profile = product.command("profiles", "create", OWNER, "--name", "examples", *domains)
    show.line(f"Profile {profile.strip()} sends from {SENDING_DOMAIN}, with links on localhost.")
    key, _, secret = product.command("api-keys", "create", OWNER, "--name", "demo").strip().partition(":")
    show.line(f"API key {key} can send and read.")
    return key, secret


def _stay(origin: str, key: str, secret: str, send_id: str) -> None:
    show.heading("It stays up: Ctrl+C stops it")
    show.line(f"address  {origin}")
    show.line(f"key      {key}:{secret}")
    show.line("try      " + f"token=$(curl -s -X POST '{origin}/oauth/token?grant_type=password' -u '{key}:{secret}' |")
    show.line('           sed \'s/.*"access_token":"\\([^"]*\\)".*/\\1/\')')
    show.line(f'         curl -s -H "Authorization: Bearer $token" {origin}/api/v1/email/send/{send_id}/events')
    threading.Event().wait()


if __name__ == "__main__":
    sys.exit(main())
