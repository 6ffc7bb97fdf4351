import json

import pytest
from click.testing import CliRunner

from waypost.cli.links import links
from waypost.keyfile import create_keyring, keyring_path, load_keyring
from waypost.links.token import Privacy, open_token
from waypost.links.url import parse_url

MESSAGE = (
    '<p>\r\n<a  href = "https://shop.example/a?b=1&amp;c=2" data-smtpd-link-name=offer>Offer</a> '
    "<a href=mailto:x@y.example>m</a>\r\n</p>"
)


@pytest.fixture
def message(tmp_path):
    path = tmp_path / "message.html"
    path.write_bytes(MESSAGE.encode())
    return path


@pytest.fixture
def data(tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    create_keyring(keyring_path(folder))
    return folder


def run(*arguments, stdin=None):
    return CliRunner().invoke(links, list(map(str, arguments)), input=stdin)


def test_rewriting_replaces_the_tracked_value_and_no_other_byte(message, data):
    result = run("rewrite", message, "--link-domain", "Links.Example.com", "--data", data)
    assert result.exit_code == 0, result.output
    before, after = MESSAGE.split("https://shop.example/a?b=1&amp;c=2")
    output = result.stdout_bytes.decode()
    assert output.startswith(before)
    assert output.endswith(after)
    url = output.removeprefix(before).removesuffix(after)
    tracked = parse_url(url)
    assert url.startswith("https://links.example.com/c/")
    assert tracked is not None


def test_tokens_are_anonymous_without_a_send_id_and_carry_one_that_is_given(message, data, tmp_path):
    keyring = load_keyring(keyring_path(data))
    send_id = "01920000-0000-7000-8000-00000000abcd"
    for extra, privacy in (((), Privacy.ANONYMOUS), (("--send-id", send_id), Privacy.IDENTIFIED)):
        output = tmp_path / "out.html"
        arguments = ("rewrite", message, "--link-domain", "l.example", "--data", data, "--account", 7, "--profile", 9)
        assert run(*arguments, "-o", output, *extra).exit_code == 0
        token = output.read_text().split("https://l.example/c/")[1].split('"')[0]
        payload = open_token(token, "l.example", keyring)
        assert (payload.account, payload.profile, payload.link_index, payload.privacy) == (7, 9, 0, privacy)
        assert payload.destination == "https://shop.example/a?b=1&c=2"


def test_the_report_needs_no_keyring_and_says_why_a_link_was_skipped(message, tmp_path):
    result = run("rewrite", message, "--link-domain", "l.example", "--report", "json", "--data", tmp_path / "none")
    assert result.exit_code == 0, result.output
    report = json.loads(result.output)
    assert [(link["decision"], link["reason"], link["name"]) for link in report["links"]] == [
        ("tracked", None, "offer"),
        ("skipped", "scheme", None),
    ]
    table = run("rewrite", message, "--link-domain", "l.example", "--report", "table").output.splitlines()
    assert "tracked" in table[0]
    assert "[offer]" in table[0]
    assert "skipped: scheme" in table[1]
    assert table[2].startswith("1 tracked, 1 skipped; ")


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (("--exclude-host", "Shop.example"), "excluded_host"),
        (("--unsubscribe-url", "https://shop.example/a?b=1&c=2"), "unsubscribe"),
        (("--skip-sensitive",), None),
    ],
)
def test_policy_options_reach_the_policy(message, options, reason):
    result = run("rewrite", message, "--link-domain", "l.example", "--report", "json", *options)
    assert json.loads(result.output)["links"][0]["reason"] == reason


def test_standard_input_is_read_for_a_dash():
    result = run("rewrite", "-", "--link-domain", "l.example", "--report", "json", stdin='<a href="#x">')
    assert json.loads(result.output)["links"][0]["reason"] == "fragment"


@pytest.mark.parametrize(
    ("content", "options", "exit_code", "said"),
    [
        (b"caf\xe9", (), 1, "is not UTF-8: byte 3"),
        (b"", ("--utm", "source"), 2, "'source' is not NAME=VALUE"),
        (b"", (), 1, "keyring"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(tmp_path, content, options, exit_code, said):
    path = tmp_path / "message.html"
    path.write_bytes(content)
    result = run("rewrite", path, "--link-domain", "l.example", "--data", tmp_path / "none", *options)
    assert result.exit_code == exit_code
    assert said in result.output


@pytest.mark.parametrize("extra", [(), ("--report", "table")])
@pytest.mark.parametrize("domain", ["l.example:80", "https://l.example", "l..example", ""])
def test_a_link_domain_that_is_no_host_name_is_a_usage_error_with_a_report_too(message, data, domain, extra):
    result = run("rewrite", message, "--link-domain", domain, "--data", data, *extra)
    assert result.exit_code == 2
    assert "is not a lower-case host name without port" in result.output


def test_nothing_in_a_message_breaks_a_row_of_the_table(tmp_path):
    path = tmp_path / "message.html"
    path.write_text('<a href="https://a.example/\n9\x1b[2J\u202e" data-smtpd-link-name="a\tb\u3000c">x</a>', "utf-8")
    row, *_ = run("rewrite", path, "--link-domain", "l.example", "--report", "table").output.split("\n")
    assert row.endswith("https://a.example/\\n9\\x1b[2J\\u202e  [a\\tb\u3000c]")


def test_the_table_says_how_many_of_its_rows_are_twins_for_outlook(tmp_path):
    path = tmp_path / "message.html"
    button = '<a href="https://a.example/{0}">{0}</a>'
    buttons = (f"<!--[if mso]>{button.format(n)}<![endif]-->{button.format(n)}" for n in range(2))
    path.write_text("".join(buttons) + button.format(2))
    *rows, total = run("rewrite", path, "--link-domain", "l.example", "--report", "table").output.splitlines()
    assert len(rows) == 5
    assert total.startswith("5 tracked (2 of them twins for Outlook, which share an index), 0 skipped; ")


def test_an_output_that_cannot_be_written_is_one_plain_sentence(message, data, tmp_path):
    output = tmp_path / "none" / "tracked.html"
    result = run("rewrite", message, "--link-domain", "links.example.com", "--data", data, "-o", output)
    assert (result.exit_code, result.output) == (1, f"Error: {output} cannot be written: No such file or directory\n")
