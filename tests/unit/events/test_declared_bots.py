import pytest
from crawleruseragents import CRAWLER_USER_AGENTS_DATA

from waypost.events.declared_bots import DeclaredBots

WEBKIT = "AppleWebKit/537.36 (KHTML, like Gecko)"


@pytest.fixture(scope="module")
def bots():
    return DeclaredBots()


def test_everything_that_the_communitys_list_has_seen_is_a_bot(bots):
    seen = [instance for entry in CRAWLER_USER_AGENTS_DATA for instance in entry["instances"]]
    assert len(seen) > 2000
    assert [user_agent for user_agent in seen if user_agent not in bots] == []


@pytest.mark.parametrize(
    "user_agent",
    [
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) Proofpoint",
        "Mimecast-URL-Scanner/1.0",
        "Barracuda Sentinel (EE)",
        "Symantec-Messaging-Gateway",
        "FortiMail",
        "Trend Micro WTP",
        "Microsoft Office Existence Discovery",
        "curl/8.14.1",
        "Ruby",
    ],
)
def test_mail_scanners_and_libraries_are_bots(bots, user_agent):
    assert user_agent in bots


@pytest.mark.parametrize(
    "user_agent",
    [
        "",
        "Mozilla/5.0",
        "Outlook-iOS/709.2226530.prod.iphone (3.24.1)",
        "Mozilla/4.0 (compatible; MSIE 7.0; Windows NT 10.0; Trident/7.0; Microsoft Outlook 16.0.5134; ms-office)",
        f"Mozilla/5.0 (X11; Linux x86_64) {WEBKIT} Slack/4.0 Chrome/120.0 Electron/28 Safari/537.36",
        f"Mozilla/5.0 (Linux; Android 14; CUBOT X70) {WEBKIT} Chrome/124.0 Mobile Safari/537.36",
        f"Mozilla/5.0 (Linux; Android 9; Panasonic ELUGA) {WEBKIT} Chrome/90.0 Mobile Safari/537.36",
    ],
)
def test_what_people_read_with_is_not(bots, user_agent):
    assert user_agent not in bots
