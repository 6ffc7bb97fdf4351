"""What goes wrong on the way to a receiver.

WebhookError
├── TargetError              a URL that no webhook may have; `rule` follows the field's name
├── UnknownNameError         the receiver's name has no address, or nobody could be asked
├── RefusedAddressError      the name leads to an address that is not of the Internet
├── NoConnectionError        no address answers, or not with a valid certificate
└── BrokenExchangeError      connected, and then no HTTP answer
"""

from ipaddress import IPv4Address, IPv6Address


class WebhookError(Exception):
    """Every error of this package."""


class TargetError(WebhookError):
    """A URL that no webhook may have.

    Attributes:
        rule: what it must be, in words that follow the field's name.
    """

    def __init__(self, rule: str) -> None:
        self.rule = rule
        super().__init__(rule)


class UnknownNameError(WebhookError):
    """A name without an address.

    Attributes:
        host: the name.
    """

    def __init__(self, host: str, why: str) -> None:
        self.host = host
        super().__init__(f"{host} has no address: {why}")


class RefusedAddressError(WebhookError):
    """An address that is not connected to.

    Attributes:
        host: the name that leads to it.
        address: the first such address.
    """

    def __init__(self, host: str, address: IPv4Address | IPv6Address) -> None:
        self.host = host
        self.address = address
        # Which address is not said: it would tell a sender what the names in here stand for.
        super().__init__(f"{host} has an address that is not of the Internet")


class NoConnectionError(WebhookError):
    """No address of a receiver answers, or its certificate is not valid; the message says why, or nothing."""


class BrokenExchangeError(WebhookError):
    """What a receiver does is no HTTP, or it ends in the middle; the message says what happened."""
