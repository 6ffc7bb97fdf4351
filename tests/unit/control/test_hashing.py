"""How secrets of API keys are kept."""

import pytest

from waypost.control.keys.hashing import hash_secret, secret_matches

HASH = hash_secret("s3cret")


def test_the_hash_is_argon2id_at_the_cost_that_owasp_asks_for_and_salted():
    assert HASH.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert hash_secret("s3cret") != HASH


@pytest.mark.parametrize(
    ("secret_hash", "secret", "matches"),
    [
        pytest.param(HASH, "s3cret", True, id="the secret"),
        pytest.param(HASH, "S3cret", False, id="in another case"),
        pytest.param(HASH, "", False, id="empty"),
        pytest.param(HASH, "\x00", False, id="a zero byte"),
        pytest.param(None, "", False, id="an unknown key has no secret, not even the empty one"),
        pytest.param("not a hash", "s3cret", False, id="damaged"),
    ],
)
def test_only_the_secret_matches_its_hash(secret_hash, secret, matches):
    assert secret_matches(secret_hash, secret) is matches
