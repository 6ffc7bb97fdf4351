from dataclasses import dataclass, field

import pytest

from waypost.events.client import UNKNOWN, Client, DeviceType, ImageProxy
from waypost.events.client_parser import ClientParser
from waypost.events.hit import HitKind

DESKTOP, MOBILE, TABLET, TV, BOT = (
    DeviceType.DESKTOP,
    DeviceType.MOBILE,
    DeviceType.TABLET,
    DeviceType.TV,
    DeviceType.BOT,
)
WEBKIT = "AppleWebKit/537.36 (KHTML, like Gecko)"
WINDOWS_CHROME = f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {WEBKIT} Chrome/124.0.0.0 Safari/537.36"
ANDROID_CHROME = f"Mozilla/5.0 (Linux; Android 10; K) {WEBKIT} Chrome/124.0.0.0 Mobile Safari/537.36"


@pytest.fixture(scope="module")
def parser():
    return ClientParser()


@dataclass(frozen=True)
class Reader:
    name: str
    user_agent: str
    expected: Client
    kind: HitKind = HitKind.CLICK
    hints: dict[str, str] = field(default_factory=dict)


READERS = [
    Reader(
        "Chrome on Windows, which may be 10 or 11", WINDOWS_CHROME, Client("Chrome", "124", "Windows", "", "", DESKTOP)
    ),
    Reader(
        "Edge",
        f"{WINDOWS_CHROME} Edg/124.0.2478.80",
        Client("Edge", "124.0.2478", "Windows", "", "", DESKTOP),
    ),
    Reader(
        "Firefox on Windows",
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:126.0) Gecko/20100101 Firefox/126.0",
        Client("Firefox", "126", "Windows", "", "", DESKTOP),
    ),
    Reader(
        "Internet Explorer on Windows 7 with tablet services",
        "Mozilla/5.0 (compatible; MSIE 9.0; Windows NT 6.1; Trident/5.0; Tablet PC 2.0)",
        Client("IE", "9", "Windows", "7", "", DESKTOP),
    ),
    Reader(
        "Safari on a Mac, whose version is frozen",
        "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) "
        "Version/17.4.1 Safari/605.1.15",
        Client("Safari", "17.4.1", "Mac OS X", "", "Mac", DESKTOP),
    ),
    Reader(
        "Firefox on Ubuntu",
        "Mozilla/5.0 (X11; Ubuntu; Linux x86_64; rv:126.0) Gecko/20100101 Firefox/126.0",
        Client("Firefox", "126", "Ubuntu", "", "", DESKTOP),
    ),
    Reader(
        "Opera on Linux",
        f"Mozilla/5.0 (X11; Linux x86_64) {WEBKIT} Chrome/122.0.0.0 Safari/537.36 OPR/108.0.0.0",
        Client("Opera", "108", "Linux", "", "", DESKTOP),
    ),
    Reader(
        "Chrome on a Chromebook",
        f"Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) {WEBKIT} Chrome/124.0.0.0 Safari/537.36",
        Client("Chrome", "124", "Chrome OS", "", "", DESKTOP),
    ),
    Reader(
        "Safari on an iPhone",
        "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
        "Version/17.5 Mobile/15E148 Safari/604.1",
        Client("Mobile Safari", "17.5", "iOS", "17.5.1", "iPhone", MOBILE),
    ),
    Reader(
        "Safari 26 on an iPhone, whose version is frozen",
        "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
        "Version/26.0 Mobile/15E148 Safari/604.1",
        Client("Mobile Safari", "26", "iOS", "", "iPhone", MOBILE),
    ),
    Reader(
        "Safari 18.6 on an iPhone, whose version is not",
        "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
        "Version/18.6 Mobile/15E148 Safari/604.1",
        Client("Mobile Safari", "18.6", "iOS", "18.6", "iPhone", MOBILE),
    ),
    Reader(
        "Safari on an iPad that says so",
        "Mozilla/5.0 (iPad; CPU OS 16_7_8 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
        "Version/16.6 Mobile/15E148 Safari/604.1",
        Client("Mobile Safari", "16.6", "iOS", "16.7.8", "iPad", TABLET),
    ),
    Reader(
        "Chrome on Android, whose version and device are withheld",
        ANDROID_CHROME,
        Client("Chrome Mobile", "124", "Android", "", "", MOBILE),
    ),
    Reader(
        "Chrome on an Android tablet",
        ANDROID_CHROME.replace("Mobile ", ""),
        Client("Chrome", "124", "Android", "", "", TABLET),
    ),
    Reader(
        "Samsung Internet",
        f"Mozilla/5.0 (Linux; Android 14; SM-S918B) {WEBKIT} SamsungBrowser/25.0 Chrome/121.0.0.0 Mobile Safari/537.36",
        Client("Samsung Internet", "25", "Android", "14", "Samsung SM-S918B", MOBILE),
    ),
    Reader(
        "an Amazon tablet",
        f"Mozilla/5.0 (Linux; Android 9; KFTRWI) {WEBKIT} Silk/108.4.6 like Chrome/108.0.5359.220 Safari/537.36",
        Client("Amazon Silk", "108.4.6", "Android", "9", "Kindle", TABLET),
    ),
    Reader(
        "an Android program that is no browser, on we do not know what",
        "Dalvik/2.1.0 (Linux; U; Android 13; SM-G998B Build/TP1A.220624.014)",
        Client("Android", "13", "Android", "13", "Samsung SM-G998B"),
    ),
    Reader(
        "a Samsung television",
        "Mozilla/5.0 (SMART-TV; Linux; Tizen 6.0) AppleWebKit/538.1 (KHTML, like Gecko) Version/6.0 TV Safari/538.1",
        Client("Safari", "6", "Tizen", "6", "Samsung SMART-TV", TV),
    ),
    Reader(
        "a Fire TV, which says Mobile",
        f"Mozilla/5.0 (Linux; Android 9; AFTKA Build/PS7622; wv) {WEBKIT} "
        "Version/4.0 Chrome/108.0.5359.160 Mobile Safari/537.36",
        Client("Chrome Mobile WebView", "108.0.5359", "Android", "9", "AFTKA", TV),
    ),
    Reader(
        "Outlook on Windows",
        "Mozilla/4.0 (compatible; MSIE 7.0; Windows NT 10.0; Win64; x64; Trident/7.0; Microsoft Outlook 16.0.5134; "
        "ms-office; MSOffice 16)",
        Client("Outlook", "2016", "Windows", "", "", DESKTOP),
    ),
    Reader(
        "Outlook on an iPhone",
        "Outlook-iOS/709.2226530.prod.iphone (3.24.1)",
        Client("Outlook-iOS", "3.24.1", "iOS", "", "iPhone", MOBILE),
    ),
    Reader(
        "Outlook on iOS, which may be a phone or a tablet",
        "Outlook-iOS/729.2303.0 prod (4.2303.0)",
        Client("Outlook-iOS", "729.2303", "iOS"),
    ),
    Reader(
        "Outlook's browser on an iPhone",
        "Mozilla/5.0 (iPhone; CPU iPhone OS 17_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
        "Mobile/15E148 Outlook-iOS/2.0",
        Client("Outlook-iOS", "2", "iOS", "17.1", "iPhone", MOBILE),
    ),
    Reader(
        "Outlook on Android, whose version is not Android's",
        "Outlook-Android/2.0",
        Client("Outlook-Android", "2", "Android", "", "Generic Smartphone", MOBILE),
    ),
    Reader(
        "the new Outlook on Windows",
        f"{WINDOWS_CHROME} Edg/124.0.0.0 OneOutlook/1.2024.411.100",
        Client("Outlook", "1.2024.411.100", "Windows", "", "", DESKTOP),
    ),
    Reader(
        "Outlook on a Mac",
        "MacOutlook/16.80.23121017 (Intelx64 Mac OS X Version 14.1.2 (Build 23B92))",
        Client("MacOutlook", "16.80.23121017", "Mac OS X", "14.1.2", "Mac", DESKTOP),
    ),
    Reader(
        "Yahoo's app on Android",
        "YahooMobileMail/6.50.1 (Android Mail; 1.0) (husky; Google; Pixel 8 Pro; 14; 2992x1344)",
        Client("YahooMobileMail", "6.50.1", "Android", "", "Generic Smartphone", MOBILE),
    ),
    Reader(
        "Yahoo's cache of images",
        "YahooCacheSystem",
        Client("YahooMailProxy", image_proxy=ImageProxy.YAHOO),
        kind=HitKind.OPEN,
    ),
    Reader(
        "Apple Mail on an iPad",
        "Mozilla/5.0 (iPad; CPU OS 16_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148",
        Client("Mobile Safari UI/WKWebView", "", "iOS", "16.6", "iPad", TABLET),
    ),
    Reader(
        "Thunderbird",
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:115.0) Gecko/20100101 Thunderbird/115.10.1",
        Client("Thunderbird", "115.10.1", "Windows", "", "", DESKTOP),
    ),
    Reader(
        "Apple Mail",
        "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko)",
        Client("Apple Mail", "", "Mac OS X", "", "Mac", DESKTOP),
    ),
    Reader(
        "Googlebot",
        "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
        Client("Googlebot", "2.1", device_type=BOT),
    ),
    Reader(
        "Slack's preview",
        "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)",
        Client("Slackbot-LinkExpanding", "1", device_type=BOT),
    ),
    Reader("curl", "curl/8.5.0", Client("curl", "8.5", device_type=BOT)),
    Reader("Python", "python-requests/2.31.0", Client("Python Requests", "2.31", device_type=BOT)),
    Reader(
        "a browser without a window",
        f"Mozilla/5.0 (X11; Linux x86_64) {WEBKIT} HeadlessChrome/120.0.6099.28 Safari/537.36",
        Client("HeadlessChrome", "120.0.6099", "Linux", "", "", BOT),
    ),
    Reader(
        "a preview that poses as a browser before it says what it is",
        "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_11_1) AppleWebKit/601.2.4 (KHTML, like Gecko) Version/9.0.1 "
        "Safari/601.2.4 facebookexternalhit/1.1 Facebot Twitterbot/1.0",
        Client("FacebookBot", "1.1", "Mac OS X", "10.11.1", "", BOT),
    ),
    Reader("a monitor", "Site24x7", Client("Site24x7", device_type=BOT)),
    Reader(
        "Gmail following links",
        f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {WEBKIT} Chrome/42.0.2311.135 Safari/537.36 Edge/12.246 "
        "Gmail-content-sampling",
        Client("Edge", "12.246", "Windows", "", "", BOT),
    ),
    Reader("a mail gateway", "Barracuda Sentinel (EE)", Client(device_type=BOT)),
    Reader(
        "a phone whose maker has bot in its name",
        f"Mozilla/5.0 (Linux; Android 14; CUBOT X70) {WEBKIT} Chrome/124.0.0.0 Mobile Safari/537.36",
        Client("Chrome Mobile", "124", "Android", "14", "X70", MOBILE),
    ),
    Reader("nobody", "", UNKNOWN),
    Reader("somebody unheard of", "Whatever 1.0", UNKNOWN),
    Reader("noise", "\x00\ud7ff" * 300 + "(((((", UNKNOWN),
    Reader(
        "Gmail's image proxy, whose Windows XP is made up",
        "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)",
        Client(browser="GoogleImageProxy", image_proxy=ImageProxy.GOOGLE),
        HitKind.OPEN,
    ),
    Reader(
        "Yahoo's image proxy",
        "YahooMailProxy; https://help.yahoo.com/kb/yahoo-mail-proxy-SLN28749.html",
        Client(browser="YahooMailProxy", image_proxy=ImageProxy.YAHOO),
        HitKind.OPEN,
    ),
    Reader(
        "Apple's image proxy",
        "Mozilla/5.0",
        Client(browser="Apple Mail Privacy Protection", image_proxy=ImageProxy.APPLE),
        HitKind.OPEN,
    ),
    Reader("a click with the name of Apple's image proxy, which does not click", "Mozilla/5.0", UNKNOWN),
    Reader(
        "Brave, told by its hint only",
        WINDOWS_CHROME,
        Client("Brave", "124", "Windows", "", "", DESKTOP),
        hints={"sec-ch-ua": '"Chromium";v="124", "Brave";v="124", "Not-A.Brand";v="99"', "sec-ch-ua-mobile": "?0"},
    ),
    Reader(
        "a made-up brand among the hints",
        WINDOWS_CHROME,
        Client("Chrome", "124", "Windows", "", "", DESKTOP),
        hints={"sec-ch-ua": '"Google Chrome";v="124", "Not\\"A;Brand";v="8", "Chromium";v="124"'},
    ),
    Reader(
        "Windows 11, told by its hint",
        WINDOWS_CHROME,
        Client("Chrome", "124", "Windows", "11", "", DESKTOP),
        hints={"sec-ch-ua-platform": '"Windows"', "sec-ch-ua-platform-version": '"15.0.0"'},
    ),
    Reader(
        "Windows 10, told by its hint",
        WINDOWS_CHROME,
        Client("Chrome", "124", "Windows", "10", "", DESKTOP),
        hints={"sec-ch-ua-platform": '"Windows"', "sec-ch-ua-platform-version": '"10.0.0"'},
    ),
    Reader(
        "a phone whose model and version are in the hints",
        ANDROID_CHROME,
        Client("Chrome Mobile", "124", "Android", "14", "Pixel 8", MOBILE),
        hints={
            "sec-ch-ua-platform": '"Android"',
            "sec-ch-ua-platform-version": '"14.0.0"',
            "sec-ch-ua-model": '"Pixel 8"',
            "sec-ch-ua-mobile": "?1",
        },
    ),
    Reader(
        "a phone that asks for the desktop site and hints what it is",
        f"Mozilla/5.0 (X11; Linux x86_64) {WEBKIT} Chrome/124.0.0.0 Safari/537.36",
        Client("Chrome", "124", "Android", "", "", DESKTOP),
        hints={"sec-ch-ua-platform": '"Android"', "sec-ch-ua-mobile": "?0"},
    ),
    Reader(
        "Ubuntu, which is Linux to the hint",
        "Mozilla/5.0 (X11; Ubuntu; Linux x86_64; rv:126.0) Gecko/20100101 Firefox/126.0",
        Client("Firefox", "126", "Ubuntu", "", "", DESKTOP),
        hints={"sec-ch-ua-platform": '"Linux"'},
    ),
    Reader(
        "a phone whose user agent is a desktop's and whose hint is not",
        f"Mozilla/5.0 (X11; Linux x86_64) {WEBKIT} Chrome/124.0.0.0 Safari/537.36",
        Client("Chrome", "124", "Android", "", "", MOBILE),
        hints={"sec-ch-ua-platform": '"Android"', "sec-ch-ua-mobile": "?1"},
    ),
    Reader("only a hint", "", Client(device_type=MOBILE), hints={"sec-ch-ua-mobile": "?1"}),
    Reader(
        "hints that are nonsense",
        WINDOWS_CHROME,
        Client("Chrome", "124", "Windows", "", "", DESKTOP),
        hints={
            "sec-ch-ua": '"',
            "sec-ch-ua-platform": "Windows",
            "sec-ch-ua-platform-version": '"',
            "sec-ch-ua-model": "x",
        },
    ),
]


@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.name)
def test_a_client_is_told_by_its_headers(parser, reader):
    headers = {"user-agent": reader.user_agent, **reader.hints}
    assert parser.parse(reader.kind, headers) == reader.expected


def test_no_headers_tell_nothing(parser):
    assert parser.parse(HitKind.OPEN, {}) == UNKNOWN


def test_the_cache_is_bounded_and_does_not_mix_up_kinds(parser):
    small = ClientParser(cache_entries=2)
    for user_agent in ("curl/8.5.0", "Mozilla/5.0", "x", "y"):
        for kind in HitKind:
            assert small.parse(kind, {"user-agent": user_agent}) == parser.parse(kind, {"user-agent": user_agent})
    assert small._cached.cache_info().currsize == 2
