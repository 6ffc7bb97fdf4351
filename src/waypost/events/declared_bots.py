"""Programs that say in their user agent that they are one: crawlers, previews, monitors, HTTP libraries, mail scanners.

Those that pose as browsers are for the verdict, which looks at what they do.
"""

from typing import Final

from crawleruseragents import CRAWLER_USER_AGENTS_DATA  # type: ignore[import-untyped]
from ua_parser import Domain
from ua_parser.matchers import UserAgentMatcher
from ua_parser.regex import Resolver

# What checks mail and says so. The community's list of crawlers (MIT) is about web sites and has few of these.
_MAIL_SCANNERS: Final = (
    "Barracuda",
    "Proofpoint",
    "Mimecast",
    "Symantec",
    "FortiMail|FortiGuard|FortiSandbox",
    "Sophos",
    "Trend ?Micro",
    "CiscoEmailSecurity|IronPort",
    "Hornetsecurity",
    "SafeLinks|Safe Links",
    # Gmail follows links under this name: https://github.com/mssola/user_agent/issues/71
    "Gmail-content-sampling",
    "urlscan",
    # Office asks a link's server what it speaks before a browser is started.
    "Microsoft Office (?:Protocol|Existence) Discovery|Microsoft-WebDAV-MiniRedir",
)
_PROGRAMS: Final = (
    "HeadlessChrome|PhantomJS|SkypeUriPreview|BingPreview",
    "^(?:curl|Wget|python|Python|aiohttp|httpx|Go-http-client|Java|okhttp|Apache-HttpClient|axios|node|Ruby)\\b",
)


class DeclaredBots:
    """Knows them all: some 1,500 patterns in ua-parser's Rust engine, a few microseconds a user agent."""

    def __init__(self) -> None:
        """Compile the patterns (50 ms)."""
        listed = [entry["pattern"] for entry in CRAWLER_USER_AGENTS_DATA]
        patterns = [*listed, *_MAIL_SCANNERS, *_PROGRAMS]
        # The engine wants a group in each: it is meant for names of browsers.
        self._resolver = Resolver(([UserAgentMatcher(f"({pattern})") for pattern in patterns], [], []))

    def __contains__(self, user_agent: str) -> bool:
        """Whether a program sends this and says so."""
        return self._resolver(user_agent, Domain.USER_AGENT).user_agent is not None
