"""Sending profiles through the API, under both of their paths."""

from uuid import UUID

import pytest
from tests.integration.control.conftest import START

from waypost.db.states import Role
from waypost.db.tables import LinkDomain

PATHS = ["/api/v1/email/profile", "/api/v1/profile/email"]
each_path = pytest.mark.parametrize("path", PATHS)


@pytest.fixture
def manager(api):
    return api.tenant(Role.IAC, link_domain=None)


def a_profile(manager, **fields):
    return {
        "profile_name": "main",
        "sending_domain": manager.domain,
        "link_domain": f"links.{manager.domain}",
        "link_domain_default_redirect": "https://shop.example/",
        "bounce_domain": f"bounce.{manager.domain}",
        **fields,
    }


@each_path
def test_a_profile_is_answered_in_smtpds_form_and_read_back_on_both_paths(manager, path):
    answer = manager.post(path, a_profile(manager))

    body = answer.json()
    assert answer.status_code == 202, body
    assert UUID(body["profile_id"])
    assert body == a_profile(manager) | {
        "profile_id": body["profile_id"],
        "state": "creating",
        "created_at_utc": int(START.timestamp()),
        "modified_at_utc": int(START.timestamp()),
    }
    for each in PATHS:
        assert manager.get(f"{each}/{body['profile_id']}").json() == body
        assert manager.get(each).json() == [body]


@pytest.mark.parametrize("absent", [{}, {"link_domain_default_redirect": "", "bounce_domain": ""}])
def test_what_is_optional_may_be_empty_as_smtpds_client_writes_it(manager, absent):
    new = a_profile(manager)
    del new["link_domain_default_redirect"], new["bounce_domain"]

    body = manager.post(PATHS[0], new | absent).json()

    assert (body["link_domain_default_redirect"], body["bounce_domain"]) == ("", "")


@each_path
@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"profile_name": ""}, "profile_name"),
        ({"profile_name": "a\r\nb"}, "profile_name"),
        ({"sending_domain": ""}, "sending_domain"),
        ({"sending_domain": "shop.example:25"}, "sending_domain"),
        ({"link_domain": "https://links.shop.example"}, "link_domain"),
        ({"link_domain": "a\nb"}, "link_domain"),
        ({"link_domain_default_redirect": "javascript:alert(1)"}, "link_domain_default_redirect"),
        ({"link_domain_default_redirect": "https://a.example/\r\nX: y"}, "link_domain_default_redirect"),
        ({"bounce_domain": 7}, "bounce_domain"),
    ],
)
def test_a_profile_with_a_wrong_field_is_refused_by_name_and_not_kept(manager, path, fields, field):
    answer = manager.post(path, a_profile(manager, **fields))

    assert (answer.status_code, answer.json()["code"]) == (400, 40002)
    assert answer.json()["message"].startswith(f"{field}: ")
    assert manager.get(path).json() == []


@pytest.mark.parametrize("suffix", ["co.uk", "com", "github.io", "GitHub.IO", "intranet", "公司.cn"])
@pytest.mark.parametrize("field", ["sending_domain", "link_domain", "bounce_domain"])
def test_a_public_suffix_is_nobodys_domain(manager, field, suffix):
    answer = manager.post(PATHS[0], a_profile(manager, **{field: suffix}))

    written = suffix.lower().encode("idna").decode()
    rule = f"must be a domain that can be registered, or one below it: {written} is a public suffix"
    assert (answer.status_code, answer.json()) == (400, {"code": 40002, "message": f"{field}: {rule}"})
    assert manager.get(PATHS[0]).json() == []


@pytest.mark.parametrize("registered", ["shop.co.uk", "shop.github.io"])
def test_a_domain_right_below_a_public_suffix_is_its_owners(manager, registered):
    domains = dict.fromkeys(("sending_domain", "link_domain", "bounce_domain"), registered)

    assert manager.post(PATHS[0], a_profile(manager, **domains)).status_code == 202


def test_a_development_domain_may_be_any_name(manager):
    domains = dict.fromkeys(("sending_domain", "link_domain", "bounce_domain"), "localhost")

    assert manager.post(PATHS[0], a_profile(manager, **domains)).json()["state"] == "active"


@pytest.mark.parametrize("domain", ["localhost", "links.dev.example"])
@pytest.mark.parametrize("setting", [("EDGE_HOST", "edge.waypost.example"), ("EDGE_ADDRESSES", "192.0.2.1")])
def test_where_senders_have_link_domains_only_an_operator_makes_a_profile_that_needs_no_proof(
    api, manager, setting, domain
):
    """Any other could send from anybody's domain with it."""
    named, value = setting
    domains = {"WAYPOST_LINKS__DEVELOPMENT_DOMAINS": domain}
    with api.served_anew({f"WAYPOST_DNS__{named}": value, **domains}) as client:
        answers = [
            client.post(PATHS[0], json=a_profile(manager, link_domain=domain), headers=each.headers)
            for each in (manager, api.operator())
        ]
    assert [(each.status_code, each.json().get("code")) for each in answers] == [(400, 40002), (202, None)]
    assert (
        answers[0].json()["message"] == "link_domain: is for development here: only an operator makes a profile on it"
    )
    assert answers[1].json()["state"] == "active"


def test_a_link_domain_of_another_account_is_a_conflict(api, manager):
    other = api.tenant(Role.IAC, link_domain=None)
    manager.post(PATHS[0], a_profile(manager))

    with api.database.writing() as session:
        session.get_one(LinkDomain, f"links.{manager.domain}").proven_at = START

    answer = other.post(PATHS[0], a_profile(manager))

    assert (answer.status_code, answer.json()["code"]) == (409, 40902)


@each_path
def test_the_setup_holds_the_profile_and_the_records_to_publish(manager, path):
    profile = manager.post(path, a_profile(manager)).json()

    setup = manager.get(f"{path}/{profile['profile_id']}/setup").json()

    assert {name: setup[name] for name in profile} == profile
    for record in setup["dns_records"]:
        assert record["validation_state"] == "unknown"
        assert record["name"].endswith(manager.domain)
        assert record["type"]
        assert record["value"]
    assert "dkim" in {record["purpose"] for record in setup["dns_records"] if record["required"]}
    assert (setup["checked_at_utc"], setup["next_check_at_utc"]) == (None, int(START.timestamp()))
    assert setup["link_domain_check"]["state"] == "unknown"
    assert "dns.edge_host" in setup["link_domain_check"]["hint"]
    assert "dns.bounce_host" in setup["bounce_domain_hint"]
    assert "mail.spf" in setup["bounce_domain_hint"]


@each_path
def test_a_check_can_be_asked_for(api, manager, path):
    profile_id = manager.post(path, a_profile(manager)).json()["profile_id"]
    api.clock.advance(minutes=30)

    answer = manager.put(f"{path}/{profile_id}/verify")

    assert (answer.status_code, answer.json()["profile_id"]) == (202, profile_id)
    assert manager.get(f"{path}/{profile_id}/setup").json()["next_check_at_utc"] == int(START.timestamp()) + 1800


@each_path
def test_a_deleted_profile_is_gone_on_both_paths_and_sends_no_more(api, path):
    owner = api.tenant()
    manager = api.as_role(owner, Role.IAC)
    profile_id = str(owner.profile.public_id)

    assert manager.delete(f"{path}/{profile_id}").status_code == 204
    for each in PATHS:
        assert manager.get(each).json() == []
        for part in ("", "/setup"):
            assert manager.get(f"{each}/{profile_id}{part}").json()["code"] == 40402
        assert manager.put(f"{each}/{profile_id}/verify").json()["code"] == 40402
        assert manager.delete(f"{each}/{profile_id}").json()["code"] == 40402
    assert owner.send().json()["code"] == 40020
