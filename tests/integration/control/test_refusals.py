"""What is refused, with which code, in which words; and that nothing of it is kept."""

import json

import pytest
from sqlalchemy import func, select

from waypost.db.tables import Send

SEND = "/api/v1/email/send"
JSON = {"Content-Type": "application/json"}
LIMIT = 10 * 1024 * 1024
STRANGERS = 64 * 1024


@pytest.fixture(scope="module")
def tenant(served):
    return served.tenant()


@pytest.fixture(autouse=True)
def nothing_is_stored(api):
    def stored():
        with api.database.reading() as session:
            return session.scalars(select(func.count()).select_from(Send)).one()

    before = stored()
    yield
    assert stored() == before


@pytest.mark.parametrize(
    ("field", "value", "rule"),
    [
        ("recipient_email_address", None, "must be a string"),
        ("recipient_email_address", 7, "must be a string"),
        ("recipient_email_address", "ada", "must be an e-mail address"),
        ("recipient_email_address", "ada@example.com\r\nBcc: eve@example.com", "must be an e-mail address"),
        ("recipient_email_address", "ada@example.com, eve@example.com", "must be an e-mail address"),
        ("recipient_email_address", "Ada <ada@example.com>", "must be an e-mail address"),
        ("recipient_email_address", "ädä@example.com", "must be an e-mail address"),
        ("recipient_email_address", "a" * 65 + "@example.com", "must be an e-mail address"),
        ("recipient_email_address", "a" * 321, "at most 320 characters"),
        ("reply_to", "a" * 321, "at most 320 characters"),
        ("from_email_address", "", "must be an e-mail address"),
        ("from_email_address", "a@b@c", "must be an e-mail address"),
        ("reply_to", "nobody", "must be an e-mail address"),
        ("reply_to", "a@example.com\n", "must be an e-mail address"),
        ("recipient_name", ["Ada"], "must be a string"),
        ("recipient_name", "Ada\r\nBcc: eve@example.com", "control characters (found U+000D)"),
        ("recipient_name", "A" * 257, "at most 256 characters"),
        ("from_name", "Shop\x00", "control characters (found U+0000)"),
        ("subject", "Hi\nBcc: eve@example.com", "control characters (found U+000A)"),
        ("subject", "Hi\x85", "control characters (found U+0085)"),
        ("subject", "x" * 999, "at most 998 characters"),
        ("content_html", 7, "must be a string"),
        ("content_html", ["<p>"], "must be a string"),
        ("content_html", {"html": "<p>"}, "must be a string"),
        ("content_html", True, "must be a string"),
        ("content_text", 7, "must be a string"),
        ("open_tracking", "click_tracking", "must be true or false"),
        ("open_tracking", "none", "must be true or false"),
        ("open_tracking", 1, "must be true or false"),
        ("open_tracking", None, "must be true or false"),
        ("click_tracking", "true", "must be true, false"),
        ("click_tracking", "open_tracking", "must be true, false"),
        ("click_tracking", 1, "must be true, false"),
        ("click_tracking", 0, "must be true, false"),
        ("click_tracking", None, "must be true, false"),
        ("click_tracking", [], "must be true, false"),
        ("tags", "one", "must be a list"),
        ("tags", {"a": 1}, "must be a list"),
        ("tags", ["x"] * 257, "must have at most 256 items, not 257"),
        ("tags[1]", ["x", "y" * 257], "at most 256 characters"),
        ("tags[1]", ["x", 7], "must be a string"),
        ("tags[0]", ["a\rb"], "control characters (found U+000D)"),
    ],
)
def test_a_wrong_field_is_named_with_its_rule(tenant, field, value, rule):
    answer = tenant.send(**{field.partition("[")[0]: value})

    body = answer.json()
    assert (answer.status_code, body["code"]) == (400, 40002), body
    assert body["message"].startswith(f"{field}: ")
    assert rule in body["message"]
    assert [error["field"] for error in body["errors"]] == [field]


FILE = {"name": "a.txt", "content_type": "text/plain", "content": "YQ=="}
LEAVE = {"url": "https://shop.example/leave"}


@pytest.mark.parametrize(
    ("field", "value", "named", "rule"),
    [
        ("attachments", FILE, "attachments", "must be a list"),
        ("attachments", ["a"], "attachments[0]", "must be a JSON object"),
        ("attachments", [FILE] * 101, "attachments", "at most 100 items"),
        ("attachments", [FILE, {**FILE, "name": ""}], "attachments[1].name", "at least 1 character"),
        ("attachments", [{**FILE, "name": "a\r\nb"}], "attachments[0].name", "control characters (found U+000D)"),
        ("attachments", [{**FILE, "name": "a\0"}], "attachments[0].name", "control characters (found U+0000)"),
        ("attachments", [{**FILE, "content_type": "pdf"}], "attachments[0].content_type", "must be a media type"),
        ("attachments", [{**FILE, "content_type": "a/b\nc: d"}], "attachments[0].content_type", "must be a media type"),
        ("attachments", [{**FILE, "content_type": "message/rfc822"}], "attachments[0].content_type", "neither"),
        ("attachments", [{**FILE, "content": "YQ"}], "attachments[0].content", "must be base64 with padding"),
        ("attachments", [{**FILE, "content": "Y-=="}], "attachments[0].content", "must be base64 with padding"),
        ("attachments", [{**FILE, "content": "YQ==YQ=="}], "attachments[0].content", "must be base64 with padding"),
        ("attachments", [{**FILE, "content": "ä"}], "attachments[0].content", "must be base64 with padding"),
        ("attachments", [{**FILE, "content": 7}], "attachments[0].content", "must be a string"),
        ("attachments", [{**FILE, "content_id": "a b"}], "attachments[0].content_id", "cid: URL"),
        ("attachments", [{**FILE, "content_id": "a>\r\nX: b"}], "attachments[0].content_id", "cid: URL"),
        ("attachments", [{"name": "a"}], "attachments[0].content_type", "is required"),
        ("attachments", [{**FILE, "content_id": "a"}] * 2, "body", "must not have the same content_id"),
        ("headers", ["a"], "headers", "must be a JSON object"),
        ("headers", {"X-A": 7}, "headers.X-A", "must be a string"),
        ("headers", {"X-A": "a\r\nBcc: eve@example.com"}, "headers.X-A", "control characters (found U+000D)"),
        ("headers", {"X-A": "a\n b"}, "headers.X-A", "control characters (found U+000A)"),
        ("headers", {"X-A": "a\0"}, "headers.X-A", "control characters (found U+0000)"),
        ("headers", {"X-A": "a" * 901}, "headers.X-A", "at most 900 characters"),
        ("headers", {"X-A": " "}, "headers.X-A", "must hold something"),
        ("headers", {"bCC": "eve@example.com"}, "headers.bCC", "that Waypost, a relay or a receiver sets"),
        ("headers", {"DKIM-Signature": "v=1"}, "headers.DKIM-Signature", "that Waypost, a relay or a receiver sets"),
        ("headers", {"Resent-From": "a@b.c"}, "headers.Resent-From", "that Waypost, a relay or a receiver sets"),
        ("headers", {"List-Unsubscribe": "x"}, "headers.List-Unsubscribe", "that Waypost, a relay or a receiver sets"),
        ("headers", {"X A": "a"}, "headers.X A", "printable ASCII without spaces and colons"),
        ("headers", {"X-A\r\nBcc": "a"}, "headers.X-A\r\nBcc", "printable ASCII without spaces and colons"),
        ("headers", {"X-A": "a", "x-a": "b"}, "headers", "must not hold a name twice"),
        ("headers", {f"X-{n}": "a" for n in range(51)}, "headers", "at most 50 items"),
        ("list_unsubscribe", "https://a.example/", "list_unsubscribe", "must be a JSON object"),
        ("list_unsubscribe", {}, "list_unsubscribe", "must have a url or a mailto"),
        ("list_unsubscribe", {"url": "ftp://a.example/"}, "list_unsubscribe.url", "must be an http or https URL"),
        ("list_unsubscribe", {"url": "https://a.example/\r\n"}, "list_unsubscribe.url", "must be an http or https URL"),
        ("list_unsubscribe", {"url": "https://a.example/>,<"}, "list_unsubscribe.url", "must be an http or https URL"),
        ("list_unsubscribe", {"url": "https://a.example/" + "a" * 900}, "list_unsubscribe.url", "at most 900"),
        ("list_unsubscribe", {"mailto": "leave@a.example"}, "list_unsubscribe.mailto", "must be mailto:"),
        ("list_unsubscribe", {**LEAVE, "url": "http://a.example/", "one_click": True}, "list_unsubscribe", "https url"),
        ("list_unsubscribe", {"mailto": "mailto:a@a.example", "one_click": True}, "list_unsubscribe", "https url"),
        ("list_unsubscribe", {**LEAVE, "one_click": "yes"}, "list_unsubscribe.one_click", "must be true or false"),
    ],
)  # fmt: skip
def test_a_wrong_extra_is_named_with_its_rule(tenant, field, value, named, rule):
    answer = tenant.send(**{field: value})

    body = answer.json()
    assert (answer.status_code, body["code"]) == (400, 40002), body
    assert body["message"].startswith(f"{named}: ")
    assert rule in body["message"]


@pytest.mark.parametrize(
    ("headers", "said"),
    [
        (rb'{"X-A": "a\ud800"}', "headers.X-A: must be text: it holds half of a surrogate pair"),
        (rb'{"\ud800": "a"}', "headers.\ufffd\ufffd\ufffd: must be text: it holds half of a surrogate pair"),
    ],
)
def test_half_a_surrogate_pair_in_a_header_is_named(tenant, headers, said):
    body = json.dumps(tenant.message(headers="HERE")).encode().replace(b'"HERE"', headers)

    answer = tenant.client.post(SEND, content=body, headers=tenant.headers)

    assert (answer.status_code, answer.json()["message"]) == (400, said)


def test_an_inline_attachment_without_html_is_refused(tenant):
    answer = tenant.send(content_html=None, content_text="t", attachments=[{**FILE, "content_id": "a"}])

    assert answer.json()["message"] == "body: attachments with a content_id need content_html, which shows them"


@pytest.mark.parametrize("missing", ["recipient_email_address", "from_email_address"])
def test_a_missing_field_is_named(tenant, missing):
    message = tenant.message()
    del message[missing]

    answer = tenant.post(SEND, message)

    assert (answer.json()["code"], answer.json()["message"]) == (40002, f"{missing}: is required")


@pytest.mark.parametrize("content", [{}, {"content_text": ""}, {"content_text": None}])
def test_a_message_without_content_is_refused(tenant, content):
    answer = tenant.send(content_html="", **content)

    assert answer.json()["code"] == 40002
    assert "content_html or content_text must hold something" in answer.json()["message"]


def test_several_wrong_fields_are_all_named(tenant):
    message = tenant.send(subject=1, tags="x").json()["message"]

    assert message == "subject: must be a string; tags: must be a list"


@pytest.mark.parametrize(
    "field", ["content_html", "content_text", "subject", "from_name", "recipient_email_address", "reply_to", "tags"]
)
@pytest.mark.parametrize(
    "half", [rb"\ud800", rb"\udc00", rb"a\ud83dz", pytest.param(b"\xed\xa0\x80", id="as UTF-8 would write it")]
)
def test_half_a_surrogate_pair_in_any_text_is_refused_by_name(tenant, field, half):
    value = b'["%b"]' % half if field == "tags" else b'"%b"' % half
    body = b'{"from_email_address":"a@x.example","recipient_email_address":"b@example.com","%b":%b}'
    body %= field.encode(), value

    answer = tenant.client.post(SEND, content=body, headers=tenant.headers | JSON)

    assert (answer.status_code, answer.json()["code"]) == (400, 40002)
    assert answer.json()["message"].startswith(field)
    assert "surrogate" in answer.json()["message"]


@pytest.mark.parametrize("path", [SEND, "/api/v1/email/links/preview", "/oauth/revoke"])
@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"nonsense",
        pytest.param(b'{"subject": "\xff"}', id="not UTF-8"),
        pytest.param(b"[" * 100_000, id="nested too deep"),
        pytest.param(b'{"subject": ' + b"9" * 5000 + b"}", id="a number of 5,000 digits"),
        pytest.param(b'{"a": 1} x', id="more after the end"),
    ],
)
def test_a_body_that_is_not_json_is_40001(tenant, path, body):
    answer = tenant.client.post(path, content=body, headers=tenant.headers | JSON)

    assert (answer.status_code, answer.json()["code"]) == (400, 40001)


@pytest.mark.parametrize("body", [b"[]", b"1", b'"x"', b"null", b"", b"true", b"NaN"])
def test_a_body_that_is_no_object_is_40002(tenant, body):
    answer = tenant.client.post(SEND, content=body, headers=tenant.headers | JSON)

    assert (answer.status_code, answer.json()["code"]) == (400, 40002)
    assert answer.json()["message"].startswith("body: ")


def oversized(length):
    yield b'{"subject": "'
    for _ in range(length // 65_536):
        yield b"x" * 65_536
    yield b'"}'


@pytest.mark.parametrize(
    "content", [lambda: b"x" * (STRANGERS + 1), lambda: oversized(2 * STRANGERS)], ids=["announced", "chunked"]
)
@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer a.b.c"}, {"Authorization": "Basic azpz"}])
@pytest.mark.parametrize("path", [SEND, "/api/v1/email/send/batch", "/api/v1/account"])
def test_nobody_without_an_access_token_has_a_large_body_read(tenant, path, headers, content):
    answer = tenant.client.post(path, content=content(), headers=headers | JSON)

    assert (answer.status_code, answer.json()["code"]) == (401, 40101)


@pytest.mark.parametrize(
    "content", [lambda: b"x" * (LIMIT + 1), lambda: oversized(LIMIT)], ids=["announced", "chunked"]
)
@pytest.mark.parametrize("path", [SEND, "/api/v1/email/links/preview"])
def test_a_body_over_ten_megabytes_is_413(tenant, path, content):
    answer = tenant.client.post(path, content=content(), headers=tenant.headers | JSON)

    assert (answer.status_code, answer.json()["code"]) == (413, 41301)
    assert str(LIMIT) in answer.json()["message"]


@pytest.mark.parametrize(
    ("method", "path", "code"),
    [
        ("GET", "/", 40401),
        ("GET", "/api/v1/nothing", 40401),
        ("GET", "/docs", 40401),
        ("POST", "/api/v1/email/send/", 40401),
        ("DELETE", SEND, 40501),
        ("GET", "/oauth/token", 40501),
        ("PUT", "/api/v1/analysis/summary", 40501),
    ],
)
def test_an_unknown_path_or_method_answers_in_the_same_form(api, method, path, code):
    answer = api.client.request(method, path)

    assert (answer.status_code, answer.json()["code"]) == (code // 100, code)
    assert set(answer.json()) == {"code", "message"}
    assert ("Allow" in answer.headers) == (code == 40501)


@pytest.mark.parametrize("send_id", ["x", "1", "00000000-0000-0000-0000-000000000000", "%00", "%ff"])
@pytest.mark.parametrize("part", ["", "/events", "/content/html", "/content/text"])
def test_an_id_that_names_nothing_is_404(tenant, send_id, part):
    answer = tenant.get(f"{SEND}/{send_id}{part}")

    assert (answer.status_code, answer.json()["code"]) == (404, 40402)


@pytest.mark.parametrize(
    ("params", "field"),
    [
        ({"from": "yesterday"}, "from"),
        ({"to": "1.5"}, "to"),
        ({"from": -1}, "from"),
        ({"to": 10**20}, "to"),
        ({"from": 1_700_000_000_000, "to": 1_700_000_000_000}, "from"),
        ({"from": 1_600_000_000_000, "to": 1_700_000_000_000}, "from"),
    ],
)
def test_a_period_that_makes_no_sense_is_refused_by_name(tenant, params, field):
    answer = tenant.get("/api/v1/analysis/summary", params=params)

    assert (answer.status_code, answer.json()["code"]) == (400, 40002)
    assert answer.json()["message"].startswith(f"{field}: ")


def test_a_fault_of_ours_answers_in_the_same_form_and_tells_nothing(api, tenant):
    api.store.broken = ZeroDivisionError("/secret/path")

    answer = tenant.get("/api/v1/analysis/summary")

    assert (answer.status_code, answer.json()["code"]) == (500, 50001)
    assert "secret" not in answer.text


@pytest.mark.parametrize(
    "content_type",
    [
        None,
        "application/json; charset=utf-8",
        pytest.param("application/x-www-form-urlencoded", id="what curl --data says"),
        "text/plain",
        "nonsense",
    ],
)
def test_a_body_is_json_whatever_its_content_type_says(tenant, content_type):
    said = {} if content_type is None else {"Content-Type": content_type}

    answer = tenant.client.post(SEND, content=b'{"subject": 1}', headers=tenant.headers | said)

    assert "subject: must be a string" in answer.json()["message"]


def test_a_form_is_said_to_be_no_json(tenant):
    answer = tenant.client.post(SEND, data={"subject": "Hello"}, headers=tenant.headers)

    assert (answer.status_code, answer.json()["code"]) == (400, 40001)
