"""A8: a click is told to an endpoint, signed, by an installation as an operator has it."""

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from demo import readers
from demo.api import Api
from standardwebhooks import Webhook
from tests.acceptance.operator import OWNER, eventually

from waypost.webhooks.notices import LEARN_SECONDS

HTML = '<p><a href="https://www.shop.example/told">Your order</a></p>'


class Receiver(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.got.append((body, dict(self.headers)))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module", autouse=True)
def private_networks():
    """Before the installation is started, which is the module's too."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("WAYPOST_WEBHOOKS__PRIVATE_NETWORKS", "127.0.0.0/8")
        yield


@pytest.fixture
def receiver():
    with HTTPServer(("127.0.0.1", 0), Receiver) as server:
        server.got = []
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_a_click_is_told_as_the_api_shows_it(receiver, installation):
    url = f"http://127.0.0.1:{receiver.server_port}/in"
    product = installation.product
    key = product.command("api-keys", "create", OWNER, "--name", "hooks", "--role", "iac", *product._options)
    manager = Api(product.origin, *key.strip().splitlines()[-1].split(":", 1))
    endpoint = manager.post("/api/v1/webhook", {"url": url, "events": ["delivered", "click"]})

    def told():
        verified = [Webhook(endpoint["secret"]).verify(body, headers) for body, headers in receiver.got]
        return {message["type"]: message["data"] for message in verified}

    time.sleep(LEARN_SECONDS)
    send_id, [link] = installation.send("told@inbox.example", HTML)
    assert readers.request(link, "127.0.0.9", {"User-Agent": "Mozilla/5.0"}).status == 302
    eventually(lambda: set(told()) == {"delivered", "click"})
    assert [told()["click"]] == installation.clicks(send_id)
    assert json.loads(receiver.got[0][0])["data"]["recipient_email_address"] == "told@inbox.example"
