"""Which settings an edge may reach its core with."""

import pytest

from waypost.agent.core import check_configured
from waypost.agent.errors import NotConfigured
from waypost.config import load


def settings(tmp_path, url, credential="wpe_x"):
    return load(None, {"WAYPOST_EDGE__CONTROL_URL": url, "WAYPOST_EDGE__CREDENTIAL": credential}, tmp_path)


@pytest.mark.parametrize(
    "url", ["https://core.example", "http://localhost:8025", "http://127.0.0.1:8025", "http://[::1]:1"]
)
def test_https_and_this_machine_will_do(tmp_path, url):
    check_configured(settings(tmp_path, url))


@pytest.mark.parametrize("url", ["http://core.example", "http://10.0.0.1:8025", "http://localhost.evil.example"])
def test_keys_do_not_travel_in_the_open(tmp_path, url):
    with pytest.raises(NotConfigured, match="unencrypted"):
        check_configured(settings(tmp_path, url))


def test_an_edge_without_a_credential_is_told_where_to_get_one(tmp_path):
    with pytest.raises(NotConfigured, match="waypost edges add"):
        check_configured(settings(tmp_path, "https://core.example", ""))
