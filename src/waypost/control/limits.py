"""What is limited for those who are not known yet: failed logins, and new accounts."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from ipaddress import IPv6Address, ip_address

from waypost.control.errors import CredentialsInvalidError, TooManyAttemptsError
from waypost.control.throttle import Rate, Throttle
from waypost.db.tables import ADDRESS_CHARACTERS

# Secrets are 256 random bits, or 15 characters that somebody chose: nobody guesses one at this rate. What is limited as
# well is the core and the 19 MB that each attempt takes, and how long a wrong secret in a configuration goes unnoticed.
LOGINS_OF_KEY = Rate(10, timedelta(minutes=5))
# Several applications with a wrong secret behind one address; right ones are not counted.
LOGINS_OF_ADDRESS = Rate(100, timedelta(minutes=5))
# A person signs up once; an office behind one address a few times.
SIGN_UPS_OF_ADDRESS = Rate(5, timedelta(hours=1))
# Each is a row that an operator has to look at.
SIGN_UPS = Rate(100, timedelta(hours=1))

_ONE_SITE = 64  # bits: what one IPv6 subscriber has at least, RFC 6177
_ALL = ""


class Limits:
    """The throttles of one API process.

    Args:
        now: the present, aware.
    """

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._logins_of_key = Throttle(LOGINS_OF_KEY, now)
        self._logins_of_address = Throttle(LOGINS_OF_ADDRESS, now)
        self._sign_ups_of_address = Throttle(SIGN_UPS_OF_ADDRESS, now)
        self._sign_ups = Throttle(SIGN_UPS, now, max_keys=1)

    @contextmanager
    def login(self, key: str, address: str) -> Iterator[None]:
        """Around a login; it counts only when it is refused.

        Per key and address together, so that who knows a key cannot lock its owner out from elsewhere.

        Raises:
            TooManyAttemptsError: too many were refused.
        """
        network = _network(address)
        # No user name is longer than an address; what else a client calls itself, megabytes perhaps, is not kept.
        of_key = f"{network} {key[:ADDRESS_CHARACTERS]}"
        # The address first: one that has no attempts left leaves no more keys here, which would push out others'.
        taken = _take((self._logins_of_address, network), (self._logins_of_key, of_key))
        try:
            yield
        except CredentialsInvalidError:
            raise
        except BaseException:
            _give_back(taken)
            raise
        _give_back(taken)

    def sign_up(self, address: str) -> None:
        """Before a new account is made.

        Raises:
            TooManyAttemptsError: there were too many.
        """
        _take((self._sign_ups_of_address, _network(address)), (self._sign_ups, _ALL))


_Taken = tuple[Throttle, str]


def _take(*wanted: _Taken) -> list[_Taken]:
    """One attempt of each, or none of any."""
    taken: list[_Taken] = []
    for throttle, key in wanted:
        if seconds := throttle.take(key):
            _give_back(taken)
            raise TooManyAttemptsError(seconds)
        taken.append((throttle, key))
    return taken


def _give_back(taken: list[_Taken]) -> None:
    for throttle, key in taken:
        throttle.give_back(key)


def _network(address: str) -> str:
    """What stands for one client: an IPv4 address, or the network of an IPv6 one, who has all addresses in it."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if not isinstance(parsed, IPv6Address):
        return address
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(int(parsed) >> (parsed.max_prefixlen - _ONE_SITE))
