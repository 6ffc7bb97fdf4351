"""A dozen readers: what each reads mail with, and from which address."""

import http.client
import tomllib
from dataclasses import dataclass
from pathlib import Path

ANSWER_SECONDS = 60
"""Until an edge that is started again answers, on a busy machine."""


@dataclass(frozen=True, slots=True)
class Reader:
    """One person with her devices."""

    address: str
    """She connects from it: all of 127.0.0.0/8 is this machine."""
    mail_app: str
    """User-Agent that fetches images."""
    browser: str
    """User-Agent that follows links."""
    language: str

    def headers(self, user_agent: str) -> dict[str, str]:
        """What her programs send with every request."""
        return {"User-Agent": user_agent, "Accept-Language": self.language, "Accept": "*/*"}


def _load() -> list[Reader]:
    known = tomllib.loads(Path(__file__).with_suffix(".toml").read_text("utf-8"))
    agents = known["user_agents"]
    return [
        Reader(f"127.0.0.{number}", agents[row["mail_app"]], agents[row["browser"]], row["language"])
        for number, row in enumerate(known["readers"], start=11)
    ]


READERS = _load()


@dataclass(frozen=True, slots=True)
class Answer:
    """What the edge answered."""

    status: int
    location: str | None
    content_type: str | None


def request(url: str, client_address: str, headers: dict[str, str], method: str = "GET") -> Answer:
    """Ask for `url` from `client_address`, and do not follow where it leads."""
    scheme, _, rest = url.partition("://")
    host, slash, path = rest.partition("/")
    if scheme != "http":
        raise ValueError(f"the demo serves plain http on this machine, not {url}")
    port = host.partition(":")[2]
    connection = http.client.HTTPConnection(
        "127.0.0.1", int(port or 80), timeout=ANSWER_SECONDS, source_address=(client_address, 0)
    )
    try:
        connection.request(method, slash + path, headers={"Host": host, **headers})
        response = connection.getresponse()
        response.read()
        return Answer(response.status, response.getheader("Location"), response.getheader("Content-Type"))
    finally:
        connection.close()
