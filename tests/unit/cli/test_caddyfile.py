"""`waypost caddyfile`: what it prints and what it refuses. What Caddy makes of it: tests/integration/deploy."""

import re
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from waypost.cli.caddyfile import Front, caddyfile_of
from waypost.cli.main import main
from waypost.config import load

ROOT = Path(__file__).parents[3]
SHIPPED = ROOT / "deploy" / "Caddyfile"
DOCUMENT = ROOT / "docs" / "https.md"


def settings(tmp_path, **environ):
    return load(None, {f"WAYPOST_{name}": value for name, value in environ.items()}, tmp_path)


def lines(tmp_path, *arguments, **environ):
    result = CliRunner().invoke(main, ["caddyfile", "--data", str(tmp_path), *arguments], env=environ)
    assert result.exit_code == 0, result.output
    return [line.strip() for line in result.output.splitlines()]


def test_the_shipped_file_is_what_the_command_prints(tmp_path):
    result = CliRunner().invoke(main, ["caddyfile", "--data", str(tmp_path)])
    assert result.output == SHIPPED.read_text()


def test_the_command_of_the_document_prints_one(tmp_path):
    (command,) = re.findall(r"/opt/waypost/bin/waypost (caddyfile .*) > /etc/caddy/Caddyfile", DOCUMENT.read_text())
    config = tmp_path / "waypost.toml"
    config.write_text("")
    result = CliRunner().invoke(main, command.replace("/etc/waypost/waypost.toml", str(config)).split())
    assert "\temail you@example.com\n" in result.output


def test_options_are_lines_of_the_file(tmp_path):
    printed = lines(
        tmp_path,
        *("--email", "ops@example.com", "--storage", "/srv/certificates", "--api", "core.example.com"),
        *("--acme-directory", "https://acme.example/dir", "--acme-root", "/etc/ssl/acme.pem"),
        *("--http-port", "8080", "--https-port", "8443"),
    )
    for line in (
        "email ops@example.com",
        "acme_ca https://acme.example/dir",
        "acme_ca_root /etc/ssl/acme.pem",
        "storage file_system /srv/certificates",
        "http_port 8080",
        "https_port 8443",
        "https://:8443 {",
        "http://:8080 {",
        "redir https://{host}:8443{uri} 308",
        "https://core.example.com:8443 {",
        "reverse_proxy 127.0.0.1:8025 {",
    ):
        assert line in printed


def test_with_a_peer_only_the_challenge_that_can_be_passed_on_is_used_and_passed_on(tmp_path):
    printed = lines(tmp_path, "--challenge-peer", "edge-b.example.com")
    assert "disable_tlsalpn_challenge" in printed
    assert "reverse_proxy edge-b.example.com {" in printed
    assert "disable_tlsalpn_challenge" not in lines(tmp_path)


@pytest.mark.parametrize(
    ("listen", "reached"),
    [
        ("127.0.0.1:8026", "127.0.0.1:8026"),
        ("0.0.0.0:80", "127.0.0.1:80"),
        ("[::]:8026", "[::1]:8026"),
        ("[::1]:8026", "[::1]:8026"),
        ("localhost:8026", "localhost:8026"),
    ],
)
def test_edge_and_agent_are_reached_where_they_listen(tmp_path, listen, reached):
    printed = lines(tmp_path, WAYPOST_EDGE__LISTEN=listen, WAYPOST_EDGE__INTERNAL_LISTEN=listen)
    assert f"reverse_proxy {reached} {{" in printed
    assert f"ask http://{reached}/ask" in printed


def test_a_path_with_a_space_is_one_word(tmp_path):
    assert 'storage file_system "/srv/our certificates"' in lines(tmp_path, "--storage", "/srv/our certificates")


@pytest.mark.parametrize(
    "text",
    ["a\r\nadmin off", "a\nadmin off", "a}", "{$HOME}", "{env.HOME}", 'a" b', "a`b", "a\\", "a\tb", "a\x00", "a\x7f"],
    ids=ascii,
)
@pytest.mark.parametrize("field", ["email", "acme_directory", "acme_root", "storage", "challenge_peer", "api", "admin"])
def test_what_would_be_code_in_a_caddyfile_is_refused(tmp_path, field, text):
    with pytest.raises(click.UsageError, match="cannot stand in a Caddyfile"):
        caddyfile_of(settings(tmp_path), Front(**{field: text}))


def test_a_refusal_names_the_value_and_ends_with_2(tmp_path):
    result = CliRunner().invoke(main, ["caddyfile", "--data", str(tmp_path), "--storage", "a {b"])
    assert result.exit_code == 2
    assert "'a {b' cannot stand in a Caddyfile: it contains '{'." in result.output


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        *(
            ("--email", value, "must be an e-mail address")
            for value in (
                "nonsense",
                "@example.com",
                "ops@",
                "ops@a@example.com",
                "ops@exam ple.com",
                "ops@example.com/x",
            )
        ),
        *(
            ("--api", value, "must be a host name alone")
            for value in ("core.example.com/x", "https://core.example.com", "core.example.com:443", "a b", "core..com")
        ),
    ],
)
def test_a_value_that_caddy_could_make_nothing_of_is_refused_and_nothing_printed(tmp_path, option, value, said):
    result = CliRunner().invoke(main, ["caddyfile", "--data", str(tmp_path), option, value])
    assert result.exit_code == 2
    assert f"Invalid value for '{option}': {said}" in result.stderr
    assert repr(value) in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({"EDGE__FORWARDED_HEADER": "forwarded"}, 'set edge.forwarded_header = "x-forwarded-for"'),
        ({"EDGE__TRUSTED_PROXIES": ""}, "127.0.0.1, which edge.trusted_proxies does not list"),
        ({"EDGE__LISTEN": "192.0.2.7:8026"}, "192.0.2.7, which edge.trusted_proxies does not list"),
    ],
)
def test_settings_by_which_every_click_would_come_from_caddy_are_refused(tmp_path, environ, said):
    with pytest.raises(click.ClickException, match=said):
        caddyfile_of(settings(tmp_path, **environ), Front())


def test_an_edge_that_listens_elsewhere_and_trusts_that_address_is_fine(tmp_path):
    trusting = settings(tmp_path, EDGE__LISTEN="192.0.2.7:8026", EDGE__TRUSTED_PROXIES="192.0.2.7")
    assert "reverse_proxy 192.0.2.7:8026 {" in caddyfile_of(trusting, Front())
