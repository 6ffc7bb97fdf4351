"""Signatures, checked by the reference implementation of Standard Webhooks."""

import os
from datetime import UTC, datetime

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from waypost.webhooks.signing import SECRET_BYTES, headers, secret_bytes, secret_text

BODY = '{"type":"click","data":{"subject":"Grüße"}}'.encode()


def a_secret():
    return secret_text(os.urandom(SECRET_BYTES))


def signed(*secrets, body=BODY):
    return headers("019cb7d4-0d59-7000-8000-000000000001", datetime.now(UTC), body, secrets)


def test_a_receiver_with_the_reference_library_verifies_what_is_signed():
    secret = a_secret()
    assert Webhook(secret).verify(BODY, signed(secret))["type"] == "click"


def test_while_a_secret_is_replaced_the_old_and_the_new_one_verify():
    old, new = a_secret(), a_secret()
    for secret in (old, new):
        Webhook(secret).verify(BODY, signed(new, old))


@pytest.mark.parametrize("altered", [BODY + b" ", BODY.replace(b"click", b"open")])
def test_an_altered_body_does_not_verify(altered):
    secret = a_secret()
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(altered, signed(secret))


def test_another_secret_does_not_verify():
    with pytest.raises(WebhookVerificationError):
        Webhook(a_secret()).verify(BODY, signed(a_secret()))


def test_the_signature_of_the_specification_is_ours():
    """The example of the specification's own test data (standard-webhooks, libraries/python)."""
    made = headers(
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        datetime.fromtimestamp(1614265330, UTC),
        b'{"test": 2432232314}',
        ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"],
    )
    assert made["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    assert made["webhook-timestamp"] == "1614265330"


@pytest.mark.parametrize("text", ["", "abc", "whsec_*", "whsec"])
def test_what_is_no_secret_is_refused(text):
    with pytest.raises(ValueError, match="webhook secret"):
        secret_bytes(text)
