"""What an operator and the users of an installation do: HTTP, SMTP and the command line only."""

import time

from demo.api import Api
from demo.product import Product
from demo.sink import Sink

OWNER, SENDING_DOMAIN = "owner@shop.example", "shop.example"
SENDER = f"orders@{SENDING_DOMAIN}"
LONG_SECONDS = 60
"""What takes a second or two takes many while other tests have the processors."""


class Installation:
    """A running Waypost, its relay, and an account that may send."""

    def __init__(self, product: Product, sink: Sink) -> None:
        self.product = product
        self.sink = sink
        self.credentials = product.approved_account(OWNER, SENDING_DOMAIN)
        self.api = Api(product.origin, *self.credentials)

    def send(self, recipient: str, html: str, **fields: str) -> tuple[str, list[str]]:
        """Send a message and have it delivered; its send id and its tracked links."""
        body = {"recipient_email_address": recipient, "from_email_address": SENDER, "content_html": html}
        answer = self.api.post("/api/v1/email/send", body | {"click_tracking": True, "subject": "Hello"} | fields)
        eventually(lambda: recipient in self.sink.delivered)
        return answer["send_id"], self.sink.delivered[recipient].links

    def clicks(self, send_id: str) -> list[dict]:
        """The clicks of a send that the API tells of."""
        events = self.api.get(f"/api/v1/email/send/{send_id}/events")
        return [event for event in events if event["event"] == "click"]


def eventually(done, *, seconds: float = LONG_SECONDS) -> None:
    """Wait until it is so; fail when it is not within `seconds`, which stand where they are what is promised."""
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline, f"not within {seconds} seconds"
        time.sleep(0.05)
