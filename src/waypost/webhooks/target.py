"""Where a webhook goes: a URL read once, so that what was checked is what is connected to.

Read as browsers read URLs (WHATWG), which know every spelling of an address; what is not written as it is meant is
refused rather than understood.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final
from urllib.parse import unquote

import ada_url

from waypost.config.settings import Settings
from waypost.webhooks.address import Address, AnyNetwork, is_public, is_within
from waypost.webhooks.errors import TargetError

MAX_URL_CHARACTERS: Final = 2048
# Who knocks at a mail server and then speaks no SMTP spoils the name of the address that mail is sent from.
REFUSED_PORTS: Final = frozenset({25, 465, 587, 2525})
"""Ports that no webhook goes to; every other one may be named."""

_SETTING: Final = "the operator's setting webhooks.private_networks"
_PORTS: Final = {"https:": 443, "http:": 80}
# Printable ASCII without what some parsers drop, or take for a slash. IDNA is for whoever enters the URL.
_PLAIN: Final = re.compile(r"https?://(?P<authority>[!-~]+?)(?:[/?][!-~]*)?")
_HOST: Final = re.compile(r"[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)+")
_CREDENTIALS: Final = re.compile(r"[^:\x00-\x1f\x7f]+:[^\x00-\x1f\x7f]*")


@dataclass(frozen=True, slots=True)
class Target:
    """A receiver.

    Attributes:
        secure: https.
        host: a name as A-labels in lower case, or an address, an IPv6 one without brackets.
        port: of TCP.
        path: with the query, as it goes onto the wire.
        credentials: `name:password` of basic authentication; empty for none.
    """

    secure: bool
    host: str
    port: int
    path: str
    credentials: str = ""

    @property
    def url(self) -> str:
        """All of it, without credentials; read again it gives the same."""
        scheme = "https" if self.secure else "http"
        return f"{scheme}://{self.authority}{self.path}"

    @property
    def authority(self) -> str:
        """As the header `Host` has it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS["https:" if self.secure else "http:"] else f"{host}:{self.port}"

    @property
    def address(self) -> Address | None:
        """The address, when it is written as one."""
        try:
            return ip_address(self.host)
        except ValueError:
            return None


def private_networks(settings: Settings) -> tuple[AnyNetwork, ...]:
    """The setting `webhooks.private_networks`."""
    return tuple(each.network for each in settings.webhooks.private_networks)


def read_target(url: str, private_networks: Sequence[AnyNetwork] = ()) -> Target:
    """A URL as a target.

    Args:
        url: as its owner wrote it.
        private_networks: the setting `webhooks.private_networks`; with any, plain http may be asked for.

    Raises:
        TargetError: no webhook may go there; a name is judged when it is connected to.
    """
    if len(url) > MAX_URL_CHARACTERS:
        raise TargetError(f"must have at most {MAX_URL_CHARACTERS} characters")
    plain = _PLAIN.fullmatch(url)
    if plain is None or "\\" in url or "#" in url:
        raise TargetError("must be an https URL in ASCII, without spaces, backslashes and fragment")
    try:
        parsed = ada_url.URL(url)
    except ValueError as error:
        raise TargetError("must be an https URL") from error
    if parsed.protocol == "http:" and not private_networks:
        raise TargetError(f"must be https; plain http goes only to networks that {_SETTING} allows")
    target = Target(
        secure=parsed.protocol == "https:",
        host=parsed.hostname.removeprefix("[").removesuffix("]"),
        port=int(parsed.port or _PORTS[parsed.protocol]),
        path=parsed.pathname + parsed.search,
        credentials=_credentials(parsed.username, parsed.password),
    )
    _check(target, plain["authority"], private_networks)
    return target


def _check(target: Target, written: str, private_networks: Sequence[AnyNetwork]) -> None:
    host = re.sub(r":[0-9]*\Z", "", written.rpartition("@")[2]).lower().strip("[]")
    if target.port == 0 or target.port in REFUSED_PORTS:
        raise TargetError(f"must not name port {target.port}")
    address = target.address
    if host != target.host and not (address and address.version == 6 and _is_same(host, address)):  # noqa: PLR2004
        # 0x7f.1, 2130706433, %6c%6f, full-width letters: nobody writes a receiver so.
        raise TargetError(f"must name its host plainly, as {target.host}" if target.host else "must name a host")
    if address is None:
        if not _HOST.fullmatch(target.host):
            # `localhost` too: names are asked of DNS, which has none for this machine.
            raise TargetError(
                "must name its host in full, with a domain and without final dot; or by its address, as 127.0.0.1, in "
                f"a network that {_SETTING} allows"
            )
    elif not is_public(address) and not is_within(address, private_networks):
        raise TargetError(
            f"must be a host of the Internet, not a private or special address, unless {_SETTING} allows its network"
        )


def _is_same(written: str, address: Address) -> bool:
    try:
        return ip_address(written) == address
    except ValueError:
        return False


def _credentials(name: str, password: str) -> str:
    if not name and not password:
        return ""
    credentials = f"{unquote(name)}:{unquote(password)}"
    if not _CREDENTIALS.fullmatch(credentials) or ":" in unquote(name):
        raise TargetError("must hold a name and a password without control characters, or neither")
    return credentials
