"""Lists of sends and the search, page by page."""

from uuid import UUID

import pytest
from sqlalchemy import delete, select, update

from waypost.control.sends import search as search_module
from waypost.control.sends.search import entry_of, search
from waypost.control.sends.words import BUCKET_SENDS
from waypost.db.tables import Delivery, SearchEntry, Send

SEND = "/api/v1/email/send"


@pytest.fixture
def tenant(api):
    return api.tenant()


def sent(tenant, count=1, **fields):
    """Ids, newest first."""
    found = []
    for _ in range(count):
        answer = tenant.send(**fields)
        assert answer.status_code == 202, answer.text
        found.insert(0, answer.json()["send_id"])
    return found


def ids(answer):
    assert answer.status_code == 200, answer.text
    return [send["send_id"] for send in answer.json()]


def pages(tenant, path, *, between=lambda: None):
    found = []
    while path:
        answer = tenant.get(path)
        found.append(ids(answer))
        path = answer.links.get("next", {}).get("url")
        between()
    return found


def test_sends_are_listed_newest_first_as_they_are_read_one_by_one(api, tenant):
    made = []
    for number in range(3):
        api.clock.advance(seconds=1)
        made.insert(0, tenant.send(tags=[str(number)]).json())

    assert tenant.get(SEND).json() == [tenant.get(f"{SEND}/{each['send_id']}").json() for each in made]


def test_a_list_leaves_out_the_report_and_keeps_the_reason_why_a_send_waits(api, tenant):
    [send_id] = sent(tenant, click_tracking=True)
    with api.database.writing() as session:
        session.execute(update(Delivery).where(Delivery.send_id == UUID(send_id)).values(last_error="450 not now"))

    [listed] = tenant.get(SEND).json()

    assert "link_report" not in listed
    assert listed["delivery"]["last_error"] == "450 not now"


def test_pages_hold_each_send_once_whatever_arrives_meanwhile(api, tenant):
    before = []
    for _ in range(7):
        api.clock.advance(seconds=1)
        before = sent(tenant) + before

    def arrives():
        api.clock.advance(seconds=1)
        sent(tenant)

    found = pages(tenant, f"{SEND}?limit=3", between=arrives)

    assert found == [before[:3], before[3:6], before[6:]]


def test_a_full_last_page_has_no_next_one(tenant):
    sent(tenant, 4)

    assert [len(page) for page in pages(tenant, f"{SEND}?limit=2")] == [2, 2]


def test_another_accounts_sends_are_neither_listed_nor_found(api, tenant):
    sent(tenant, subject="ours")
    stranger = api.tenant()

    assert ids(stranger.get(SEND)) == []
    assert ids(stranger.get(f"{SEND}/search?q=ours")) == []


@pytest.mark.parametrize(
    "query",
    ["ada", "ADA.LOVE", "lovelace", "inbox.exa", "ada.lovelace@inbox.example", "spring", "Spri", "GRÖ", "beta-2", "be"],
)
def test_a_send_is_found_by_the_beginning_of_any_word_of_recipient_subject_and_tags(tenant, query):
    found = sent(
        tenant, recipient_email_address="Ada.Lovelace@inbox.example", subject="Spring größer", tags=["Beta-2", "x"]
    )
    sent(tenant, recipient_email_address="nobody@other.test", subject="autumn")

    assert ids(tenant.get(f"{SEND}/search", params={"q": query})) == found


@pytest.mark.parametrize("query", ["ovelace", "spring autumn", "nothing", "adam"])
def test_what_is_no_beginning_of_a_word_or_not_all_there_is_not_found(tenant, query):
    sent(tenant, recipient_email_address="ada.lovelace@inbox.example", subject="spring")
    sent(tenant, subject="autumn")

    assert ids(tenant.get(f"{SEND}/search", params={"q": query})) == []


@pytest.mark.parametrize("field", ["send_id", "send_key"])
@pytest.mark.parametrize("of", [str, str.upper, lambda text: text[:-3]], ids=["whole", "capitals", "beginning"])
def test_a_send_is_found_by_its_id_and_key(tenant, field, of):
    sent(tenant)
    send = tenant.send().json()

    assert ids(tenant.get(f"{SEND}/search", params={"q": of(send[field])})) == [send["send_id"]]


def test_found_sends_come_newest_first_in_pages_that_hold_each_once(tenant):
    before = sent(tenant, 7, subject="needle")

    found = pages(tenant, f"{SEND}/search?q=needle&limit=3", between=lambda: sent(tenant, subject="needle"))

    assert found == [before[:3], before[3:6], before[6:]]


def test_sends_of_many_buckets_are_all_found_in_order(api, tenant):
    """As if there were many more sends between them."""
    before = sent(tenant, 12, subject="rare common")
    with api.database.writing() as session:
        rows = session.scalars(select(Send).where(Send.account == tenant.account.number).order_by(Send.send_id)).all()
        by_id = {str(row.send_id): row for row in rows}
        session.execute(delete(SearchEntry).where(SearchEntry.send_id.in_([row.send_id for row in rows])))
        for age, send_id in enumerate(reversed(before)):
            row = by_id[send_id]
            values = {column.name: getattr(row, column.name) for column in Send.__table__.columns}
            session.add(SearchEntry(**entry_of(1_000_000 + (age * 7 + 3) * BUCKET_SENDS // 2, values)))
            session.flush()

    try:
        assert pages(tenant, f"{SEND}/search?q=rar&limit=5") == [before[:5], before[5:10], before[10:]]
        assert ids(tenant.get(f"{SEND}/search?q=comm%20rare")) == before
    finally:
        with api.database.writing() as session:
            session.execute(delete(SearchEntry).where(SearchEntry.number >= 1_000_000))


def test_many_buckets_are_asked_for_at_once(api, tenant):
    [send_id] = sent(tenant, subject="faraway")
    far = search_module.MAX_BUCKETS_AT_ONCE * 3 * BUCKET_SENDS
    with api.database.writing() as session:
        template = session.scalars(select(SearchEntry).where(SearchEntry.send_id == UUID(send_id))).one()
        session.add(SearchEntry(number=template.number + far, send_id=template.send_id, words=["0.0.x"]))

    try:
        assert ids(tenant.get(f"{SEND}/search?q=faraway")) == [send_id]
    finally:
        with api.database.writing() as session:
            session.execute(delete(SearchEntry).where(SearchEntry.number >= far))


def test_a_send_that_is_deleted_is_found_no_more(api, tenant):
    gone, kept = sent(tenant, 2, subject="both")
    with api.database.writing() as session:
        session.execute(delete(Send).where(Send.send_id == UUID(gone)))

    assert ids(tenant.get(f"{SEND}/search?q=both")) == [kept]
    with api.database.reading() as session:
        assert len(search(session, tenant.account.number, ["both"], before=None, limit=10)) == 1


@pytest.mark.parametrize("path", [SEND, f"{SEND}/search?q=ada"])
@pytest.mark.parametrize(
    "query", ["limit=0", "limit=1001", "limit=x", "cursor=", "cursor=x", "cursor=%00", "cursor=LTE", "cursor=////"]
)
def test_a_page_that_cannot_be_is_refused_by_name(tenant, path, query):
    answer = tenant.get(f"{path}{'&' if '?' in path else '?'}{query}")

    assert (answer.status_code, answer.json()["code"]) == (400, 40002)
    assert answer.json()["message"].startswith(f"{query.partition('=')[0]}: ")


@pytest.mark.parametrize("query", ["", "a", "--", "'*", " " * 300, "\x00\x00", "%ff%fe"])
def test_a_search_for_nothing_is_refused_by_name(tenant, query):
    answer = tenant.get(f"{SEND}/search", params={"q": query})

    assert answer.status_code in {200, 400}
    assert answer.status_code == 200 or answer.json()["message"].startswith("q: ")


@pytest.mark.parametrize("query", ["a'b", '"ada" OR "x"', "ada*", "a & b | !c", "NOT ada", "x:*", "(x", "日本"])
def test_whatever_is_looked_for_is_words_and_no_language(tenant, query):
    sent(tenant)

    assert tenant.get(f"{SEND}/search", params={"q": query}).status_code == 200
