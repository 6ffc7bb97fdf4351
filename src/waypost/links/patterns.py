"""What a link looks like: a template placeholder, a one-time link, a URL shown as text."""

import re

# Openings and closings of the template languages that mailings are written in: Handlebars, Liquid and Jinja; Mailchimp
# merge tags; Mailgun; Typo3 and Keila; ERB and EJS; JavaScript and FreeMarker.
_PLACEHOLDERS = (
    ("{{", "}}"),
    ("{%", "%}"),
    ("*|", "|*"),
    ("%recipient.", "%"),
    ("[[", "]]"),
    ("<%", "%>"),
    ("${", "}"),
)


_ANY_OPENING = re.compile("|".join(re.escape(opening) for opening, _ in _PLACEHOLDERS))


def has_placeholder(url: str) -> bool:
    """Whether a template placeholder was left in a URL."""
    if _ANY_OPENING.search(url) is None:
        return False
    for opening, closing in _PLACEHOLDERS:
        start = url.find(opening)
        if start >= 0 and url.find(closing, start + len(opening)) >= 0:
            return True
    return False


# A name that says by itself what the parameter is good for: frameworks' own (Devise, Django, Laravel, Auth0, Supabase).
_ONE_TIME_NAME = re.compile(
    r"[?&#](?:(?:reset|confirm|confirmation|login|signin|magic|magic_link|invitation|invite|unlock|verify|verification"
    r"|activation|auth|email)_?(?:password_?)?(?:token|code|key|ticket)|otp|one_time_(?:code|token)"
    r"|(?:reset_)?password_(?:reset_)?token)=[^&#]",
    re.IGNORECASE,
)
# A word for what is done once, and a secret that lets the reader do it.
_ONE_TIME_ACTION = re.compile(
    r"reset|passw(?:or)?d|recover|magic|sign[-_]?in|log[-_]?in|passwordless|verif|confirm|activat|invit|unlock|one[-_]?time",
    re.IGNORECASE,
)
_SECRET = re.compile(
    r"[?&#](?:token|code|key|ticket|secret|sig|signature|hash|jwt|t|k)=[^&#]{8}"
    r"|[/=](?=[A-Za-z_\-]*[0-9])[A-Za-z0-9_\-.]{20}"
    r"|[/=][A-Za-z0-9_\-]{32}",
    re.IGNORECASE,
)


def is_one_time(url: str) -> bool:
    """Whether a URL looks like a sign-in, confirmation or reset link that works once."""
    _, _, rest = url.partition("://")
    _, slash, target = rest.partition("/")
    target = slash + target
    if _ONE_TIME_NAME.search(target):
        return True
    return bool(_ONE_TIME_ACTION.search(target) and _SECRET.search(target))


_URL_TEXT = re.compile(r"(?:https?://|www\.)\S+", re.IGNORECASE)


def shows_url(text: str, host: str) -> bool:
    """Whether a link's text is itself a URL, or the bare host name (`www.` set aside) that the link leads to."""
    text = text.strip().lower()
    shown_host = text.partition("/")[0].removeprefix("www.")
    return bool(_URL_TEXT.fullmatch(text)) or shown_host == host.removeprefix("www.")
