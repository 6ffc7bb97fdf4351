"""What `waypost.mail` raises, inside the package only: what a relay or a message does are values.

MailError
├── RelayUnavailableError    no connection to the relay is to be had
└── LeaseLostError           another worker holds the delivery now
"""


class MailError(Exception):
    """Root of the tree."""


class RelayUnavailableError(MailError):
    """No connection to the relay is to be had; the message says why, without secrets."""


class LeaseLostError(MailError):
    """Another worker holds the delivery now: this one was stopped for longer than its lease.

    Attributes:
        delivery_id: the delivery.
    """

    def __init__(self, delivery_id: int) -> None:
        super().__init__(f"the lease on delivery {delivery_id} was lost")
        self.delivery_id = delivery_id
