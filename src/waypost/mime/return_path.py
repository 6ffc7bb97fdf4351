"""The reverse path of a message: where bounces go (RFC 5321, section 4.4)."""

from uuid import UUID


def return_path(send_id: UUID, bounce_domain: str) -> str:
    """An address of its own for each send (VERP), so that a bounce tells by its recipient alone what bounced.

    Many bounces quote neither the message nor its Message-ID. The id is lower-case hex, since some servers fold case.

    Args:
        send_id: of the send.
        bounce_domain: A-labels, at most 214 characters (RFC 5321, section 4.5.3.1.3: 256 with the brackets).
    """
    return f"bounce-{send_id.hex}@{bounce_domain}"
