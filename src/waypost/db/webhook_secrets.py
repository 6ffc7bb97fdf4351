"""How the secrets of a webhook endpoint lie in its row: control seals them, webhooks opens them to sign and log in."""

from enum import StrEnum
from uuid import UUID

from waypost.db.control_key import ControlKey


class WebhookSecret(StrEnum):
    """Which of an endpoint's secrets."""

    SIGNING = "webhook-secret"
    CREDENTIALS = "webhook-credentials"


def seal_webhook_secret(control_key: ControlKey, kind: WebhookSecret, endpoint: UUID, secret: str) -> bytes:
    """What goes into the endpoint's row; it opens for this endpoint and this use only."""
    return control_key.seal(secret.encode(), f"{kind} {endpoint}")


def open_webhook_secret(control_key: ControlKey, kind: WebhookSecret, endpoint: UUID, sealed: bytes) -> str:
    """The secret again.

    Raises:
        ControlKeyError: `control.key` is not the one that sealed it, or the row was altered.
    """
    return control_key.open(sealed, f"{kind} {endpoint}").decode()
