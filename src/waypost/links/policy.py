"""Which links of a message are tracked."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from waypost.links import destination, patterns
from waypost.links.optout import DEFAULT_MARKS, Mark
from waypost.links.reason import Reason


class Handling(StrEnum):
    """What is done with links of a kind."""

    TRACK = "track"
    SKIP = "skip"


def _never(_url: str) -> bool:
    return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What the sender wants tracked. As it stands: every link that can be, unless it carries an opt-out mark."""

    outlook: bool = True
    """Look for links in conditional comments for Outlook too."""
    marks: frozenset[Mark] = DEFAULT_MARKS
    """The opt-out marks that are honoured, besides `data-smtpd-no-track`, which always is."""
    unsubscribe_urls: Collection[str] = frozenset()
    """The URLs of the List-Unsubscribe header: a redirect may not stand in for them (RFC 8058, section 3.1)."""
    own_link_domains: Collection[str] | None = frozenset()
    """Hosts, lower case, on which this install's tracked links live; None for any: the opener knows."""
    opener: Callable[[str], bool] = _never
    """Whether a URL on one of those is a tracked link that opens."""
    excluded_hosts: Collection[str] = frozenset()
    """Hosts, lower case, that are left alone, with all hosts below them."""
    sensitive: Handling = Handling.TRACK
    """Links that look like one-time sign-in or reset links."""
    visible_url: Handling = Handling.TRACK
    """Links whose text is itself a URL: mail clients may warn when it differs from where the link leads."""
    utm: Mapping[str, str] = field(default_factory=dict)
    """Parameters added to every tracked destination that lacks them."""

    def reason_to_skip(self, url: str, text: Callable[[], str]) -> Reason | None:  # noqa: PLR0911 (one each, in order)
        """Why a link that carries no opt-out mark is skipped; None: it is tracked.

        Args:
            url: the destination, decoded and stripped.
            text: gives the link's visible text; asked for only when that decides.
        """
        unfit = destination.check(url)
        if unfit is not None:
            return Reason.PLACEHOLDER if patterns.has_placeholder(url) else unfit
        if self._may_be_own(url) and self.opener(url):
            return Reason.ALREADY_TRACKED
        if self.excluded_hosts and self._excludes(destination.host(url)):
            return Reason.EXCLUDED_HOST
        if url in self.unsubscribe_urls:
            return Reason.UNSUBSCRIBE
        if self.sensitive == Handling.SKIP and patterns.is_one_time(url):
            return Reason.SENSITIVE
        if self.visible_url == Handling.SKIP and patterns.shows_url(text(), destination.host(url)):
            return Reason.VISIBLE_URL
        return None

    def _may_be_own(self, url: str) -> bool:
        domains = self.own_link_domains
        return domains is None or (bool(domains) and destination.host(url) in domains)

    def _excludes(self, host: str) -> bool:
        labels = host.removesuffix(".").split(".")
        return any(".".join(labels[depth:]) in self.excluded_hosts for depth in range(len(labels)))
