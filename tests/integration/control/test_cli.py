"""`waypost accounts|profiles|api-keys`, as an operator types them."""

from uuid import UUID

import pytest
from click.testing import CliRunner

from waypost.cli.main import main
from waypost.config import load
from waypost.control.install import open_install
from waypost.control.keys.service import authenticate
from waypost.control.permissions import may
from waypost.control.sources import SYSTEM
from waypost.db.states import Role
from waypost.fleet.snapshot import BlockKind
from waypost.keyfile import add_key, create_keyring, promote_key


@pytest.fixture
def data(tmp_path):
    open_install(load(None, {}, tmp_path)).database.close()
    return tmp_path


@pytest.fixture
def waypost(data):
    def run(*words, code=0, typed=None):
        done = CliRunner().invoke(main, [*words[:2], "--data", str(data), *words[2:]], input=typed)
        assert done.exit_code == code, done.output
        return done

    return run


@pytest.fixture
def account(waypost):
    return waypost("accounts", "create", "--name", "Shop", "--email", "owner@shop.example").stdout.strip()


def rows(output):
    return [line.split() for line in output.splitlines()]


def test_an_account_is_created_approved_suspended_and_approved_again(waypost, account):
    assert UUID(account)
    assert waypost("accounts", "approve", account).stdout == "owner@shop.example is approved.\n"
    assert waypost("accounts", "suspend", account, "--reason", "spam").stdout == "owner@shop.example is suspended.\n"
    assert rows(waypost("accounts", "list").stdout)[-1][1:] == ["suspended", "owner@shop.example", "Shop", "spam"]
    assert waypost("accounts", "approve", "owner@shop.example").stdout == "owner@shop.example is approved.\n"


def test_an_account_gets_a_password_from_a_pipe(waypost, account, data):
    assert "at least 15" in waypost("accounts", "password", account, typed="too short\n", code=1).stderr
    done = waypost("accounts", "password", account, typed="correct horse battery\n")

    assert done.stdout == "owner@shop.example has a new password.\n"
    database = open_install(load(None, {}, data)).database
    assert authenticate(database, SYSTEM, "owner@shop.example", "correct horse battery")
    assert not authenticate(database, SYSTEM, "owner@shop.example", "correct horse")
    database.close()


def test_an_account_is_rejected_with_a_reason(waypost, account):
    waypost("accounts", "reject", account, code=2)
    waypost("accounts", "reject", account, "--reason", "who?")

    assert "rejected" in waypost("accounts", "list").stdout


def test_a_suspension_can_block_the_accounts_links_and_the_history_tells_it(waypost, account, data):
    create_keyring(data / "keyring.json")
    waypost("accounts", "approve", account)
    done = waypost("accounts", "suspend", account, "--reason", "phishing", "--block-links")

    assert "Its links are blocked" in done.stderr
    assert rows(waypost("block", "list").stdout)[1][1] == "account"
    steps = rows(waypost("accounts", "history", account).stdout)
    assert [step[3:] for step in steps[1:]] == [["approved", "cli"], ["suspended", "cli", "phishing"]]


def test_what_can_be_blocked_is_told_by_help_and_by_refusals(waypost, data):
    create_keyring(data / "keyring.json")
    shown = CliRunner().invoke(main, ["block", "add", "--help"]).stdout
    assert shown.splitlines()[0].endswith(" block add --reason TEXT [OPTIONS] KIND VALUE")
    for kind in BlockKind:
        assert f"\n  {kind:7}  " in shown
    link = "https://go.shop.example/c/x"
    assert f"not one of {', '.join(map(repr, map(str, BlockKind)))}" in waypost("block", "add", link, code=2).stderr
    assert "Missing argument 'VALUE'" in waypost("block", "add", "host", "--reason", "r", code=2).stderr
    assert "Missing option '--reason'" in waypost("block", "add", "host", "evil.example", code=2).stderr
    waypost("block", "add", "host", "evil.example", "--reason", "phishing")
    assert rows(waypost("block", "list").stdout)[1][-3:] == ["-", "evil.example", "phishing"]


def test_a_link_is_blocked_and_listed_as_that_of_an_account(waypost, account, data):
    create_keyring(data / "keyring.json")
    waypost("accounts", "create", "--name", "Other", "--email", "owner@other.example")
    link = ("block", "add", "link", "https://shop.example/", "--reason", "phishing")

    refused = waypost(*link, code=1).stderr
    assert "must be a tracked link of this install, or come with the account it is of" in refused
    assert "--account" in refused

    first = waypost(*link, "--account", account)
    waypost(*link, "--account", "owner@other.example")
    assert "The link https://shop.example/ in every message of owner@shop.example is blocked." in first.stderr
    owners = ["owner@shop.example", "owner@other.example"]
    listed = rows(waypost("block", "list").stdout)[1:]
    assert [line[-3:] for line in listed] == [[each, "https://shop.example/", "phishing"] for each in owners]

    lifted = waypost("block", "remove", first.stdout.strip()).stdout
    assert lifted.startswith("The link https://shop.example/ in every message of owner@shop.example is not blocked any")


def test_a_reason_that_tells_nothing_is_refused(waypost, account):
    assert "reason: " in waypost("accounts", "reject", account, "--reason", "", code=1).stderr
    assert "pending" in waypost("accounts", "list").stdout


def test_a_decision_that_makes_no_sense_exits_with_1_and_says_why(waypost, account):
    done = waypost("accounts", "suspend", account, "--reason", "spam", code=1)

    assert done.stderr == "Error: the account is pending: it can become approved or rejected, not suspended\n"


def test_a_decision_made_already_is_said_plainly(waypost, account):
    waypost("accounts", "approve", account)

    assert waypost("accounts", "approve", account, code=1).stderr == "Error: owner@shop.example is approved already\n"


def test_a_profile_on_a_development_domain_is_active_at_once(waypost, account):
    done = waypost(
        "profiles", "create", account, "--name", "p", "--sending-domain", "shop.example", "--link-domain", "localhost"
    )

    assert UUID(done.stdout.strip())
    assert (
        done.stderr
        == "It is active; the account is pending: `waypost accounts approve owner@shop.example` lets it send.\n"
    )
    assert rows(waypost("profiles", "list", account).stdout)[1][1:] == ["active", "shop.example", "localhost", "p"]


def test_a_profile_of_an_approved_account_says_that_it_can_send(waypost, account):
    waypost("accounts", "approve", account)
    done = waypost(
        "profiles", "create", account, "--name", "p", "--sending-domain", "shop.example", "--link-domain", "localhost"
    )

    assert done.stderr == "It is active: messages from shop.example can be sent.\n"


@pytest.fixture
def profile(waypost, account):
    words = ("--name", "p", "--sending-domain", "shop.example", "--link-domain", "links.shop.example")
    return waypost("profiles", "create", account, *words).stdout.strip()


def test_a_profile_on_another_domain_says_which_records_to_publish(waypost, account, monkeypatch):
    monkeypatch.setenv("WAYPOST_DNS__EDGE_HOST", "edge.waypost.example")
    words = ("--name", "p", "--sending-domain", "shop.example", "--link-domain", "go.example.org")
    done = waypost("profiles", "create", account, *words)

    assert UUID(done.stdout.strip())
    lines = done.stderr.splitlines()
    named = lines.index("not looked at yet  CNAME go.example.org  (link)")
    assert lines[named + 1].strip() == "edge.waypost.example"
    assert "unknown" not in done.stderr
    assert "not looked at yet  HTTPS on go.example.org\n" in waypost("profiles", "show", done.stdout.strip()).stdout
    assert f"         waypost-account={account}" in lines
    assert any(line.strip().startswith("v=DKIM1; k=rsa; p=") for line in lines)
    assert lines[-1] == ("It is creating, and active once they are seen: waypost profiles show " + done.stdout.strip())


def test_a_profile_is_shown_with_its_records(waypost, profile):
    said = waypost("profiles", "show", profile).stdout

    assert said.startswith("p: creating\n")
    assert "looked at       not yet" in said
    assert "not looked at yet  TXT " in said
    assert "unknown  HTTPS on links.shop.example" in said
    assert "dns.edge_host" in said


def test_a_profile_that_waits_for_the_operator_says_for_which_settings(waypost, account):
    words = ("--name", "p", "--sending-domain", "shop.example", "--link-domain", "links.shop.example")
    done = waypost("profiles", "create", account, *words, "--bounce-domain", "bounces.shop.example")
    said = waypost("profiles", "show", done.stdout.strip()).stdout

    for shown in (done.stderr, said):
        assert all(setting in shown for setting in ("dns.edge_host", "dns.bounce_host", "mail.spf"))
    assert "unknown  bounces to bounces.shop.example" in said


def test_to_verify_takes_a_core_that_runs(waypost, profile):
    assert "is `waypost up` running" in waypost("profiles", "verify", profile, "--wait", "0.1", code=1).stderr


def test_a_profile_is_deleted_once_that_is_confirmed(waypost, account, profile):
    assert "Delete p, which sends for shop.example?" in waypost("profiles", "delete", profile, code=1).stdout
    assert waypost("profiles", "delete", profile, "--yes").stdout.startswith(f"{profile} is deleted.")
    assert profile not in waypost("profiles", "list", account).stdout
    assert waypost("profiles", "show", profile, code=1).stderr == "Error: there is no such profile\n"


def test_a_link_domain_is_given_to_an_account_by_an_operators_word(waypost, account, profile):
    assert rows(waypost("link-domains", "list").stdout)[1] == ["links.shop.example", "owner@shop.example", "no", "no"]
    waypost("link-domains", "publish", "links.shop.example", "--account", account)
    assert rows(waypost("link-domains", "list").stdout)[1][-1] != "no"
    said = waypost("link-domains", "release", "links.shop.example", "--yes", code=1).stderr
    assert profile in said


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("--sending-domain", "shop.example:25", "sending_domain"),
        ("--sending-domain", "co.uk", "sending_domain"),
        ("--link-domain", "https://shop.example", "link_domain"),
        ("--link-domain-default-redirect", "ftp://x", "link_domain_default_redirect"),
        ("--bounce-domain", "a b", "bounce_domain"),
    ],
)
def test_a_profile_that_cannot_be_is_refused_by_the_name_of_the_field(waypost, account, option, value, said):
    options = {"--name": "p", "--sending-domain": "shop.example", "--link-domain": "localhost", option: value}

    done = waypost("profiles", "create", account, *(word for pair in options.items() for word in pair), code=1)

    assert f"Error: {said}: must be " in done.stderr


def test_a_key_is_shown_once_as_key_and_secret_and_works(waypost, account, data):
    key, _, secret = waypost("api-keys", "create", account, "--name", "app").stdout.strip().partition(":")

    install = open_install(load(None, {}, data))
    assert authenticate(install.database, SYSTEM, key, secret).role == "standard"
    install.database.close()
    listed = waypost("api-keys", "list", account).stdout
    assert key in listed
    assert secret not in listed


def test_the_help_says_what_each_role_may():
    shown = CliRunner().invoke(main, ["api-keys", "create", "--help"], terminal_width=120).stdout
    for role in Role:
        assert f"\n  {role:9}  {may(role)}\n" in shown


def test_a_revoked_key_is_listed_as_such(waypost, account):
    waypost("api-keys", "create", account, "--name", "app", "--role", "read_only")
    key_id = rows(waypost("api-keys", "list", account).stdout)[1][0]

    assert "is revoked" in waypost("api-keys", "revoke", key_id).stdout
    assert rows(waypost("api-keys", "list", account).stdout)[1][-1] == "UTC"


@pytest.mark.parametrize(
    "words",
    [
        ("accounts", "approve", "nobody@example.com"),
        ("accounts", "history", "nobody@example.com"),
        ("profiles", "list", "nobody@example.com"),
        ("api-keys", "list", "nobody@example.com"),
        ("api-keys", "revoke", "00000000-0000-0000-0000-000000000000"),
    ],
)
def test_what_is_not_there_exits_with_1(waypost, words):
    assert waypost(*words, code=1).stderr.startswith("Error: there is no such ")


def test_an_account_that_is_not_there_is_named_as_it_was_typed(waypost):
    said = waypost("accounts", "approve", "owner@shop.exmple", code=1).stderr

    assert said == "Error: there is no such account: owner@shop.exmple\n"


def test_a_directory_without_data_is_not_made_into_an_install(tmp_path):
    elsewhere = tmp_path / "typo"

    done = CliRunner().invoke(main, ["accounts", "list", "--data", str(elsewhere)])

    assert done.exit_code == 1
    assert done.stderr == (
        f"Error: there is no control database in {elsewhere}: start `waypost up --data {elsewhere}` first, or name its "
        "directory with --data\n"
    )
    assert not elsewhere.exists()


def test_a_database_that_is_not_there_exits_with_1_and_no_traceback(tmp_path):
    url = f"postgresql://waypost:topsecret@/none?host={tmp_path}"

    done = CliRunner().invoke(main, ["accounts", "list", "--data", str(tmp_path)], env={"WAYPOST_DB__URL": url})

    assert done.exit_code == 1
    assert "the control database cannot be used" in done.stderr
    assert "topsecret" not in done.output


def test_an_edge_elsewhere_has_another_name_than_the_one_here(waypost):
    """Clicks say by which edge they came."""
    assert "give the other another name" in waypost("edges", "add", "edge", code=1).output
    assert 'name = "paris"' in waypost("edges", "add", "paris").stdout
    assert waypost("edges", "list").stdout.splitlines()[1].split() == ["paris", "never"]


def test_how_long_is_kept_what_an_account_sends_and_stores(waypost, account):
    def kept(*options):
        lines = waypost("accounts", "keep", account, *options).stdout.splitlines()[1:]
        return [line.split("  ", 1)[1].split() for line in lines]

    default = [["45", "by", "default"], ["for", "ever", "by", "default"], *[["180", "by", "default"]] * 2]
    assert kept() == default
    said = [["7"], ["400"], ["for", "ever"], ["30"]]
    options = ("--content-days=7", "--event-days=400", "--address-days=0", "--user-agent-days=30")
    assert kept(*options) == said
    assert kept("--event-days", "default") == [said[0], default[1], *said[2:]]
    assert kept() == [said[0], default[1], *said[2:]]
    assert "0" in waypost("accounts", "keep", account, "--content-days", "0", code=2).stderr
    assert "-1" in waypost("accounts", "keep", account, "--event-days", "-1", code=2).stderr


def test_a_recipient_is_erased_once_a_core_runs(waypost, account):
    asked = waypost("erase", "reader@inbox.example", "--account", account, "--yes")
    assert asked.stdout == "No core runs here: it is done as soon as one does.\n"
    refused = waypost("erase", "reader@inbox.example", "--account", "nobody@shop.example", code=1)
    assert "nobody@shop.example" in refused.output


def test_an_erasure_is_asked_for_once_it_is_confirmed(waypost, account):
    everywhere = waypost("erase", "reader@inbox.example", code=1)
    assert "Erase every trace of reader@inbox.example? It cannot be undone. [y/N]: " in everywhere.stdout
    words = ("erase", "reader@inbox.example", "--account", account)
    assert "reader@inbox.example in what owner@shop.example sent?" in waypost(*words, typed="n\n", code=1).stdout
    assert "No core runs here" in waypost(*words, typed="y\n").stdout


def test_a_block_is_kept_and_not_published_with_an_old_copy_of_the_keyring(waypost, data):
    path = data / "keyring.json"
    create_keyring(path)
    old = path.read_text()
    add_key(path)
    newest = promote_key(path, 2)
    waypost("block", "add", "host", "evil.example", "--reason", "phishing")
    published = (data / "snapshot").read_bytes()
    path.write_text(old)
    refused = waypost("block", "add", "host", "worse.example", "--reason", "phishing", code=1)
    assert "The change is kept, and not published from here." in refused.stderr
    assert "it lacks key 2" in refused.stderr
    assert (data / "snapshot").read_bytes() == published
    path.write_text(newest.dump())
    assert "in force" in waypost("block", "add", "host", "worse.example", "--reason", "phishing").stderr
    assert (data / "snapshot").read_bytes() != published
