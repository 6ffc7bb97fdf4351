"""The codes of reasons: in the API, the event store and `docs/verdicts.md`. Never rename or reuse one."""

from enum import StrEnum


class Reason(StrEnum):
    """Why a hit is taken for a person's or a machine's. What each means stands in `rules.RULES`."""

    HEAD = "head"
    PREFETCH = "prefetch"
    DECLARED_BOT = "declared_bot"
    IMAGE_PREFETCH = "image_prefetch"

    MANY_NETWORKS = "many_networks"
    RAPID_LINKS = "rapid_links"
    UNSUBSCRIBE_AND_CONTENT = "unsubscribe_and_content"
    SEC_FETCH_MISSING = "sec_fetch_missing"
    ALL_LINKS = "all_links"
    SAME_SYSTEM = "same_system"
    MAIL_SECURITY_NETWORK = "mail_security_network"
    USER_AGENT_MISSING = "user_agent_missing"
    SEC_FETCH_MISSING_WEBKIT = "sec_fetch_missing_webkit"
    CLOUD_NETWORK = "cloud_network"
    SOON_FROM_DATA_CENTRE = "soon_from_data_centre"
    MANY_RECIPIENTS = "many_recipients"
    SEEN_SCANNING = "seen_scanning"
    AT_DELIVERY = "at_delivery"
    CHECKED_CLICK = "checked_click"
    OUTDATED_BROWSER = "outdated_browser"
    ACCEPT_LANGUAGE_MISSING = "accept_language_missing"
    HOSTING_NETWORK = "hosting_network"

    MOBILE_NETWORK = "mobile_network"
    HOURS_LATER = "hours_later"
    RETURNED = "returned"
    USER_NAVIGATION = "user_navigation"
    IMAGE_PROXY = "image_proxy"

    NO_SIGN = "no_sign"
