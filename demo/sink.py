"""An SMTP server that keeps what it takes: the relay of the demo."""

import email
import email.policy
import re

from aiosmtpd.controller import Controller

_TRACKED = re.compile(r"http://localhost:\d+/c/[A-Za-z0-9_-]+")
_PIXEL = re.compile(r"http://localhost:\d+/o/[A-Za-z0-9_-]+\.gif")


class Delivered:
    """A message as it arrived."""

    def __init__(self, content: bytes) -> None:
        message = email.message_from_bytes(content, policy=email.policy.default)
        html = message.get_body(("html",))
        # Not get_content(): it would put LF for the CRLF that one message has.
        self.html = "" if html is None else html.get_payload(decode=True).decode("utf-8")
        self.links = _TRACKED.findall(self.html)
        """Tracked links in source order; those of an Outlook button and its twin are equal."""
        pixel = _PIXEL.search(self.html)
        self.pixel = pixel[0] if pixel else None


class Sink:
    """`with Sink(port) as sink:` takes every message that comes."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.delivered: dict[str, Delivered] = {}
        """By recipient address."""
        self._controller = Controller(self, hostname="127.0.0.1", port=port)

    async def handle_DATA(self, _server, _session, envelope) -> str:  # noqa: N802 -- aiosmtpd's name for it
        for recipient in envelope.rcpt_tos:
            self.delivered[recipient] = Delivered(envelope.content)
        return "250 2.0.0 taken by the demo"

    def __enter__(self):
        self._controller.start()
        return self

    def __exit__(self, *_) -> None:
        self._controller.stop()
