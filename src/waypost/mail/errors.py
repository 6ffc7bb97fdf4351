"""What `waypost.mail` raises, inside the package only: what a relay or a message does are values.

MailError
└── RelayUnavailableError    no connection to the relay is to be had
"""


class MailError(Exception):
    """Root of the tree."""


class RelayUnavailableError(MailError):
    """No connection to the relay is to be had; the message says why, without secrets."""
