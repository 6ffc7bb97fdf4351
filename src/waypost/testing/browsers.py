"""The request headers of browsers and programs, version by version, as far as an edge keeps them.

Chromium: client hints since 89, `zstd` since 123, Fetch Metadata since 80. Firefox: Fetch Metadata since 90, `zstd`
since 126. Safari: Fetch Metadata since 16.4, without Sec-Fetch-User.
"""

from collections.abc import Mapping
from typing import Final

Headers = dict[str, str]

_CHROMIUM_ACCEPT: Final = (
    "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8,"
    "application/signed-exchange;v=b3;q=0.7"
)
_GECKO_ACCEPT: Final = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
_BLINK: Final = "AppleWebKit/537.36 (KHTML, like Gecko)"
_APPLE: Final = "AppleWebKit/605.1.15 (KHTML, like Gecko)"
_ZSTD_CHROMIUM: Final = 123
_ZSTD_FIREFOX: Final = 126
_METADATA_CHROMIUM: Final = 80
_METADATA_FIREFOX: Final = 90
_METADATA_SAFARI: Final = 16.4
_HINTS_CHROMIUM: Final = 89

WINDOWS: Final = "Windows NT 10.0; Win64; x64"
MAC: Final = "Macintosh; Intel Mac OS X 10_15_7"
LINUX: Final = "X11; Linux x86_64"
ANDROID: Final = "Linux; Android 10; K"
IPHONE: Final = "iPhone; CPU iPhone OS 18_7 like Mac OS X"
IPAD: Final = "iPad; CPU OS 18_7 like Mac OS X"
_PLATFORMS: Final = {WINDOWS: "Windows", MAC: "macOS", LINUX: "Linux", ANDROID: "Android"}


def chromium(
    system: str, major: int, language: str, *, brand: str = "Google Chrome", suffix: str = "", gpc: bool = False
) -> Headers:
    """Chrome, Edge, Brave, Opera, Samsung Internet."""
    mobile = "Android" in system
    headers = {
        "user-agent": f"Mozilla/5.0 ({system}) {_BLINK} Chrome/{major}.0.0.0 {'Mobile ' * mobile}Safari/537.36{suffix}",
        "accept": _CHROMIUM_ACCEPT,
        "accept-encoding": "gzip, deflate, br, zstd" if major >= _ZSTD_CHROMIUM else "gzip, deflate, br",
        "accept-language": language,
    }
    if major >= _HINTS_CHROMIUM:
        headers |= {
            "sec-ch-ua": f'"{brand}";v="{major}", "Chromium";v="{major}", "Not;A=Brand";v="24"',
            "sec-ch-ua-mobile": f"?{int(mobile)}",
            "sec-ch-ua-platform": f'"{_PLATFORMS.get(system, "Android" if mobile else "Linux")}"',
        }
    if major >= _METADATA_CHROMIUM:
        headers |= _navigation(user=True)
    return headers | ({"sec-gpc": "1"} if gpc else {})


def firefox(system: str, major: int, language: str, *, gpc: bool = False) -> Headers:
    """Firefox, and what is made of it."""
    headers = {
        "user-agent": f"Mozilla/5.0 ({system}; rv:{major}.0) Gecko/20100101 Firefox/{major}.0",
        "accept": _GECKO_ACCEPT,
        "accept-encoding": "gzip, deflate, br, zstd" if major >= _ZSTD_FIREFOX else "gzip, deflate, br",
        "accept-language": language,
    }
    if major >= _METADATA_FIREFOX:
        headers |= _navigation(user=True)
    return headers | ({"dnt": "1", "sec-gpc": "1"} if gpc else {})


def safari(device: str, version: float, language: str) -> Headers:
    """Safari on an iPhone, an iPad or a Mac."""
    mobile = "" if device == MAC else "Mobile/15E148 "
    build = "605.1.15" if device == MAC else "604.1"
    headers = {
        "user-agent": f"Mozilla/5.0 ({device}) {_APPLE} Version/{version} {mobile}Safari/{build}",
        "accept": _GECKO_ACCEPT,
        "accept-encoding": "gzip, deflate, br",
        "accept-language": language,
    }
    return headers | (_navigation(user=False) if version >= _METADATA_SAFARI else {})


def ios_app(name: str, language: str) -> Headers:
    """Another browser on an iPhone: Apple's WebKit under its own name."""
    return {
        "user-agent": f"Mozilla/5.0 ({IPHONE}) {_APPLE} {name} Mobile/15E148 Safari/604.1",
        "accept": _GECKO_ACCEPT,
        "accept-encoding": "gzip, deflate, br",
        "accept-language": language,
        **_navigation(user=False),
    }


def _navigation(*, user: bool) -> Headers:
    metadata = {"sec-fetch-dest": "document", "sec-fetch-mode": "navigate", "sec-fetch-site": "none"}
    return metadata | ({"sec-fetch-user": "?1"} if user else {})


def ahead(headers: Mapping[str, str]) -> Headers:
    """The same browser fetching in advance."""
    kept = {name: value for name, value in headers.items() if name != "sec-fetch-user"}
    return kept | {"sec-fetch-dest": "empty", "sec-fetch-mode": "no-cors", "sec-purpose": "prefetch"}


def image(headers: Mapping[str, str]) -> Headers:
    """The same browser showing an image: a mailbox read in it."""
    kept = {name: value for name, value in headers.items() if not name.startswith("sec-fetch-")}
    fetched = {"sec-fetch-dest": "image", "sec-fetch-mode": "no-cors", "sec-fetch-site": "cross-site"}
    return kept | {"accept": "image/avif,image/webp,*/*;q=0.8"} | (fetched if "sec-fetch-mode" in headers else {})


def borrowed(headers: Mapping[str, str], *, language: bool = False) -> Headers:
    """A program that borrows the name of a browser and sends what its HTTP library sends."""
    kept = {"user-agent": headers["user-agent"], "accept": "*/*", "accept-encoding": "gzip, deflate"}
    return kept | ({"accept-language": "en-US,en;q=0.9"} if language else {})


def driven(headers: Mapping[str, str]) -> Headers:
    """A real browser without a window, its name changed, no language set: as Puppeteer starts it."""
    return {name: value for name, value in headers.items() if name != "accept-language"}


def program(user_agent: str) -> Headers:
    """A program that says what it is."""
    return {"user-agent": user_agent, "accept": "*/*"}


# From the phone of whoever gets the link.
_IMESSAGE: Final = (
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_11_1) AppleWebKit/601.2.4 (KHTML, like Gecko) Version/9.0.1 "
    "Safari/601.2.4 facebookexternalhit/1.1 Facebot Twitterbot/1.0"
)
_EDGE_12: Final = f"Mozilla/5.0 ({WINDOWS}) {_BLINK} Chrome/42.0.2311.135 Safari/537.36 Edge/12.246"
# Programs as they name themselves.
PREVIEWS: Final = (
    "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)",
    "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)",
    "WhatsApp/2.23.20.0",
    "TelegramBot (like TwitterBot)",
    "Mozilla/5.0 (compatible; Discordbot/2.0; +https://discordapp.com)",
    "Mozilla/5.0 (Windows NT 6.1; WOW64) SkypeUriPreview Preview/0.5",
    _IMESSAGE,
    "LinkedInBot/1.0 (compatible; Mozilla/5.0; Apache-HttpClient +http://www.linkedin.com)",
)
MONITORS: Final = (
    "Mozilla/5.0+(compatible; UptimeRobot/2.0; http://www.uptimerobot.com/)",
    "Pingdom.com_bot_version_1.4_(http://www.pingdom.com/)",
    "Better Uptime Bot Mozilla/5.0 (Windows NT 10.0; Win64; x64)",
    "curl/8.14.1",
    "python-requests/2.32.5",
    "Go-http-client/2.0",
)
SCANNERS: Final = (
    "Barracuda Sentinel (EE)",
    "Mozilla/5.0 (Windows NT 6.1; WOW64) AppleWebKit/534+ (KHTML, like Gecko) BingPreview/1.0b",
    f"{_EDGE_12} Gmail-content-sampling",
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/140.0.0.0 Safari/537.36",
    "Java/17.0.9",
    "okhttp/4.12.0",
)
APPLE_PROXY: Final = "Mozilla/5.0"
GMAIL_PROXY: Final = "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)"
GMAIL_PREFETCH: Final = f"{_EDGE_12} Mozilla/5.0"
YAHOO_PROXY: Final = "YahooMailProxy; https://help.yahoo.com/kb/yahoo-mail-proxy-SLN28749.html"
OUTLOOK: Final = (
    "Mozilla/4.0 (compatible; MSIE 7.0; Windows NT 10.0; Win64; x64; Trident/7.0; Microsoft Outlook 16.0.5134; "
    "ms-office; MSOffice 16)"
)
APPLE_MAIL: Final = f"Mozilla/5.0 ({MAC}) {_APPLE}"
THUNDERBIRD: Final = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Thunderbird/140.5.0"
OLD_CHROME_79: Final = (
    f"Mozilla/5.0 ({WINDOWS}) {_BLINK} Chrome/79.0.3945.136 Safari/537.36"  # github.com/mssola/user_agent/issues/71
)
INTERNET_EXPLORER: Final = "Mozilla/5.0 (Windows NT 6.1; WOW64; Trident/7.0; rv:11.0) like Gecko"
TELEVISION: Final = (
    "Mozilla/5.0 (SMART-TV; Linux; Tizen 6.0) AppleWebKit/537.36 (KHTML, like Gecko) "
    "SamsungBrowser/3.0 Chrome/76.0.3809.146 TV Safari/537.36"
)
