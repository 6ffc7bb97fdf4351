"""The example messages, as the API takes them."""

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent.parent / "examples" / "messages"


@dataclass(frozen=True, slots=True)
class Message:
    """One example."""

    name: str
    body: dict[str, Any]
    """Of `POST /api/v1/email/send`."""


def load() -> list[Message]:
    """Every example, by name."""
    return [_load(path) for path in sorted(FOLDER.glob("*.toml"))]


def _load(path: Path) -> Message:
    envelope = tomllib.loads(path.read_text("utf-8"))
    return Message(
        path.stem,
        {
            "subject": envelope["subject"],
            "from_email_address": envelope["from"]["address"],
            "from_name": envelope["from"]["name"],
            "recipient_email_address": envelope["to"]["address"],
            "recipient_name": envelope["to"]["name"],
            "reply_to": envelope.get("reply_to", ""),
            "tags": envelope["tags"],
            # Not read_text: it would turn the CRLF line ends of one of them into LF.
            "content_html": path.with_suffix(".html").read_bytes().decode("utf-8"),
            "content_text": path.with_suffix(".txt").read_bytes().decode("utf-8"),
            "click_tracking": True,
            "open_tracking": envelope.get("open_tracking", True),
        },
    )
