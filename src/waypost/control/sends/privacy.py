"""How much is to be known of a recipient: what is said of her, else of the message, else of the account."""

from dataclasses import dataclass

from waypost.control.sends.schema import Message, NewRecipient
from waypost.db.states import PrivacyMode
from waypost.links.token import IpPolicy


@dataclass(frozen=True, slots=True)
class Privacy:
    """Of an account what it says, if it does; of a send what holds."""

    mode: PrivacyMode | None
    ip_policy: IpPolicy | None


def privacy_of(message: Message, recipient: NewRecipient, account: Privacy) -> Privacy:
    """What holds for a recipient. The whole address of a reader who is not to be known would tell who she is."""
    mode = recipient.privacy_mode or message.privacy_mode or account.mode or PrivacyMode.IDENTIFIED
    by_mode = IpPolicy.FULL if mode is PrivacyMode.IDENTIFIED else IpPolicy.TRUNCATED
    return Privacy(mode, recipient.ip_policy or message.ip_policy or account.ip_policy or by_mode)
