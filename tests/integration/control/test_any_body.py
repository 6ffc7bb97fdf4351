"""Whatever JSON is sent, the answer is 202 or a refusal in our form, never a fault."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

FIELDS = [
    "recipient_email_address", "recipient_name", "from_email_address", "from_name", "reply_to", "subject",
    "content_html", "content_text", "open_tracking", "click_tracking", "tags", "attachments", "headers",
    "list_unsubscribe",
]  # fmt: skip
# Lone surrogates, NUL and astral characters included.
TEXT = st.text(st.characters(), max_size=30)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=5,
)


@pytest.fixture(scope="module")
def tenant(served):
    return served.tenant()


NESTED = st.dictionaries(
    st.sampled_from(["name", "content_type", "content", "content_id", "url", "mailto", "one_click", "X-A"]),
    ANYTHING | TEXT | st.sampled_from(["", "a", "text/plain", "YQ==", "https://a.example/", "mailto:a@a.example"]),
)


@given(fields=st.dictionaries(st.sampled_from(FIELDS), ANYTHING | TEXT | NESTED | st.lists(NESTED), max_size=4))
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_values_of_the_fields_are_answered(tenant, fields):
    body = json.dumps(tenant.message(**fields)).encode()

    answer = tenant.client.post("/api/v1/email/send", content=body, headers=tenant.headers)

    assert answer.status_code in {202, 400}, answer.text
    assert answer.status_code == 202 or answer.json()["code"] in {40001, 40002, 40020}


@given(body=ANYTHING)
@settings(max_examples=50, deadline=None)
@pytest.mark.parametrize("path", ["/api/v1/email/links/preview", "/oauth/token?grant_type=refresh_token"])
def test_any_body_is_answered(tenant, path, body):
    answer = tenant.client.post(path, content=json.dumps(body).encode(), headers=tenant.headers)

    assert answer.status_code in {400, 401}, answer.text
