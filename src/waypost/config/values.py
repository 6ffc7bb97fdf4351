"""The kinds of value that settings add to those of TOML. Each is built from a str and says what it expects."""

import re
from abc import ABC, abstractmethod
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import ClassVar, Self

# host, or [IPv6], then a port: the authority of RFC 3986, section 3.2, with the port required.
_HOST_PORT = re.compile(r"(?:\[(?P<v6>[0-9a-fA-F:.]+)\]|(?P<host>[^\s:/\[\]]+)):(?P<port>[0-9]{1,5})", re.ASCII)
_MAX_PORT = 65535
DNS_PORT = 53

# Up to the last @: a password may hold any character, escaped or not.
_URL_PASSWORD = re.compile(r"(?P<before>://[^:/@]*:).*@")


class Parsed(ABC):
    """A value written as text."""

    __slots__ = ()
    EXPECTED: ClassVar[str]
    """What the text must be, in words that follow "must be"."""

    @classmethod
    @abstractmethod
    def parse(cls, text: str) -> Self:
        """Read the text.

        Raises:
            ValueError: it is not what is expected.
        """


@dataclass(frozen=True, slots=True)
class HostPort(Parsed):
    """Where a server listens."""

    EXPECTED: ClassVar[str] = f"host:port, with a port from 1 to {_MAX_PORT}"

    host: str
    """A name or an address, an IPv6 one without its brackets."""
    port: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `host:port` or `[v6]:port`."""
        match = _HOST_PORT.fullmatch(text)
        if match is None or not 1 <= int(match["port"]) <= _MAX_PORT:
            raise ValueError(cls.EXPECTED)
        return cls(match["v6"] or match["host"], int(match["port"]))

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Network(Parsed):
    """A range of IP addresses."""

    EXPECTED: ClassVar[str] = "an IP address, or a network like 10.0.0.0/8"

    network: IPv4Network | IPv6Network

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read an address or a network."""
        return cls(ip_network(text))

    def __str__(self) -> str:
        return str(self.network)


@dataclass(frozen=True, slots=True)
class Address(Parsed):
    """An IP address."""

    EXPECTED: ClassVar[str] = "an IP address"

    address: IPv4Address | IPv6Address

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read an address."""
        return cls(ip_address(text))

    def __str__(self) -> str:
        return str(self.address)


@dataclass(frozen=True, slots=True)
class Resolver(Parsed):
    """A DNS server."""

    EXPECTED: ClassVar[str] = "an IP address, or address:port like 127.0.0.1:5353 or [::1]:5353"

    address: IPv4Address | IPv6Address
    port: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read an address, with a port or without."""
        try:
            return cls(ip_address(text), DNS_PORT)
        except ValueError:
            listen = HostPort.parse(text)
            return cls(ip_address(listen.host), listen.port)

    def __str__(self) -> str:
        return str(self.address) if self.port == DNS_PORT else str(HostPort(str(self.address), self.port))


class Secret(Parsed):
    """A text that prints as ***, however it is printed. False when empty."""

    EXPECTED = "text"
    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    @classmethod
    def parse(cls, text: str) -> Self:
        """Any text will do."""
        return cls(text)

    def reveal(self) -> str:
        """The text itself: call it where it is used, never to keep or print it."""
        return self._text

    def __bool__(self) -> bool:
        return bool(self._text)

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and other._text == self._text

    def __hash__(self) -> int:
        return hash(self._text)

    def __repr__(self) -> str:
        return "***" if self._text else ""


class SecretUrl(Secret):
    """A URL that prints with its password as ***."""

    EXPECTED = "a URL"
    __slots__ = ()

    def __repr__(self) -> str:
        return _URL_PASSWORD.sub(r"\g<before>***@", self._text, count=1)
