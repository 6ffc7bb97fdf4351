"""Content as one recipient gets it: links replaced by tracked ones, the open pixel put in."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from waypost.config import EdgeSettings, LinksSettings
from waypost.db.states import PrivacyMode
from waypost.db.tables import Content, Profile, Send
from waypost.links.html import scan
from waypost.links.keyring import Keyring
from waypost.links.policy import Policy
from waypost.links.rewrite import Link, Plan, plan
from waypost.links.token import IpPolicy, Privacy, Sealer
from waypost.links.url import click_url, open_url

_log = logging.getLogger(__name__)

UNTRACKED = "sent without tracking: the links of this message could not be rewritten"


@dataclass(frozen=True, slots=True)
class Rendered:
    """The parts of a message; None for a part that is not there.

    Attributes:
        html: with tracked links, or exactly as submitted.
        text: always exactly as submitted (R1).
        error: a sentence for the sender when tracking was asked for and failed; else None.
    """

    html: str | None
    text: str | None
    error: str | None = None


_PRIVACY = {
    PrivacyMode.IDENTIFIED: Privacy.IDENTIFIED,
    PrivacyMode.PSEUDONYMOUS: Privacy.PSEUDONYMOUS,
    PrivacyMode.ANONYMOUS: Privacy.ANONYMOUS,
}


def render(
    send: Send,
    content: Content,
    profile: Profile,
    *,
    keyring: Keyring,
    policy: Policy,
    origin: str,
    pseudonym: Callable[[UUID], UUID],
) -> Rendered:
    """Render for the recipient of `send`. Tokens are deterministic: every attempt gives the same.

    A failure in rewriting never loses the message: it is then returned as submitted, with `error` set (R18).

    Args:
        send: what is tracked of it, and its id.
        content: as submitted; an empty part is no part.
        profile: whose link domain and number go into tokens.
        keyring: mints the tokens.
        policy: the one the send was planned with when it was accepted.
        origin: where links are served, see `link_origin()`.
        pseudonym: what stands for a send id in pseudonymous mode.
    """
    html, text = content.html or None, content.text or None
    privacy_mode = send.privacy_mode or PrivacyMode.IDENTIFIED
    if html is None or not (send.click_tracking or send.open_tracking) or privacy_mode is PrivacyMode.OFF:
        return Rendered(html, text)
    try:
        privacy = _PRIVACY[privacy_mode]
        sealer = Sealer(
            keyring,
            profile.link_domain,
            account=profile.account,
            profile=profile.number,
            privacy=privacy,
            ip_policy=send.ip_policy or IpPolicy.FULL,
        )
        return Rendered(_track(html, send, _token_id(send, privacy, pseudonym), sealer, policy, origin), text)
    except Exception:  # noqa: BLE001 - R18: whatever is wrong with rewriting, the message goes out
        _log.exception("send %s goes out untracked", send.send_id)
        return Rendered(html, text, UNTRACKED)


def link_origin(link_domain: str, links: LinksSettings, edge: EdgeSettings) -> str:
    """Scheme and authority of tracked links on `link_domain`: https, but for development domains the edge itself."""
    if link_domain in links.development_domains:
        return f"http://{link_domain}:{edge.listen.port}"
    return f"https://{link_domain}"


def _token_id(send: Send, privacy: Privacy, pseudonym: Callable[[UUID], UUID]) -> UUID | None:
    """What a token of this send says of it."""
    match privacy:
        case Privacy.IDENTIFIED:
            return send.send_id
        case Privacy.PSEUDONYMOUS:
            return pseudonym(send.send_id)
        case Privacy.ANONYMOUS:
            return None


def _track(  # noqa: PLR0917 -- of `render`
    html: str, send: Send, token_id: UUID | None, sealer: Sealer, policy: Policy, origin: str
) -> str:
    def make_url(link: Link) -> str:
        return click_url(origin, sealer.click(token_id, link.index, link.destination))

    planned = plan(html, policy) if send.click_tracking else Plan(html, [], scan(html).body_end)
    return planned.render(make_url, open_url(origin, sealer.open(token_id)) if send.open_tracking else None)
