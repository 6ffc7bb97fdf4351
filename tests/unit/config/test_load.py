"""Three layers, one result, and problems that name the key, the source and what was meant."""

import tomllib
from importlib import resources
from pathlib import Path

import pytest

from waypost.config import ConfigFileError, HostPort, InvalidSettings, Network, Settings, effective, load

DATA = Path("data")


def settings(environ: dict[str, str], file: Path | None = None) -> Settings:
    return load(file, environ, DATA)


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "waypost.toml"
    path.write_text(text, "utf-8")
    return path


def test_without_a_file_or_variables_the_defaults_hold():
    assert settings({}).edge.listen == HostPort("127.0.0.1", 8026)
    assert settings({}).data == DATA


def test_defaults_toml_sets_every_field_and_no_other():
    defaults = tomllib.loads(resources.files("waypost.config").joinpath("defaults.toml").read_text("utf-8"))
    documented = {f"{section}.{name}" for section, values in defaults.items() for name in values}
    assert documented == {setting.key for setting in effective(None, {})}
    fields = {
        f"{section}.{name}"
        for section in Settings.__struct_fields__
        if section != "data"
        for name in getattr(settings({}), section).__struct_fields__
    }
    assert documented == fields


def test_a_file_overrides_the_defaults_and_the_environment_overrides_the_file(tmp_path):
    file = written(tmp_path, "[edge]\nworkers = 3\nlisten = '[::1]:9000'\n")
    assert settings({}, file).edge.workers == 3
    both = settings({"WAYPOST_EDGE__WORKERS": "2", "PATH": "/bin"}, file)
    assert (both.edge.workers, both.edge.listen) == (2, HostPort("::1", 9000))


def test_every_value_tells_where_it_comes_from(tmp_path):
    file = written(tmp_path, "[edge]\nworkers = 3\n")
    origins = {setting.key: setting.origin for setting in effective(file, {"WAYPOST_MAIL__USERNAME": "u"})}
    assert origins["edge.workers"] == str(file)
    assert origins["mail.username"] == "WAYPOST_MAIL__USERNAME"
    assert origins["edge.listen"] == "default"


@pytest.mark.parametrize(
    ("variable", "text", "section", "name", "value"),
    [
        ("WAYPOST_EDGE__WORKERS", "4", "edge", "workers", 4),
        ("WAYPOST_SPOOL__SYNC_WAIT_SECONDS", "0.5", "spool", "sync_wait_seconds", 0.5),
        ("WAYPOST_SPOOL__DURABILITY", "process", "spool", "durability", "process"),
        ("WAYPOST_LINKS__DEVELOPMENT_DOMAINS", "a, b.test", "links", "development_domains", ("a", "b.test")),
        ("WAYPOST_LINKS__DEVELOPMENT_DOMAINS", "", "links", "development_domains", ()),
        ("WAYPOST_EDGE__TRUSTED_PROXIES", "10.0.0.0/8, ::1", "edge", "trusted_proxies",
         (Network.parse("10.0.0.0/8"), Network.parse("::1/128"))),
        ("WAYPOST_EDGE__TRUSTED_PROXIES", "", "edge", "trusted_proxies", ()),
        ("WAYPOST_EDGE__CONTROL_URL", "https://core.example:8025", "edge", "control_url", "https://core.example:8025"),
        ("WAYPOST_CONTROL__NOTICES_FROM", "no.reply+w@a.example", "control", "notices_from", "no.reply+w@a.example"),
        ("WAYPOST_CONTROL__LISTEN", "0.0.0.0:80", "control", "listen", HostPort("0.0.0.0", 80)),
        ("WAYPOST_MAIL__USERNAME", "", "mail", "username", ""),
    ],
)  # fmt: skip
def test_a_variable_is_read_as_its_setting_s_type(variable, text, section, name, value):
    assert getattr(getattr(settings({variable: text}), section), name) == value


@pytest.mark.parametrize(
    ("key", "text", "expected"),
    [
        ("edge.workers", "0", "a whole number of processes from 1 to 64"),
        ("edge.workers", "two", "a whole number of processes from 1 to 64"),
        ("spool.segment_seconds", "nan", "a number of seconds from 0.05 to 60"),
        ("spool.durability", "disk", 'one of "group", "process"'),
        ("edge.listen", "8026", "host:port, with a port from 1 to 65535"),
        ("edge.listen", "a:65536", "host:port, with a port from 1 to 65535"),
        ("mail.relay_port", "0", "a whole number from 1 to 65535"),
        ("mail.relay_host", "", "a host name or address"),
        ("control.notices_from", "operator", "empty, or an e-mail address with its domain in lower case"),
        ("edge.name", "Edge_1", "at most 32 lower-case letters, digits and hyphens"),
        ("edge.control_url", "https://core.example/x", "empty, or https://host without a path"),
        ("edge.trusted_proxies", "10.0.0.1/8", "a list, each an IP address, or a network like 10.0.0.0/8"),
        ("links.development_domains", "Up", "a list, each a domain name in lower case"),
    ],
)
def test_a_wrong_value_is_told_with_its_key_unit_and_range(key, text, expected):
    variable = "WAYPOST_" + key.replace(".", "__").upper()
    with pytest.raises(InvalidSettings) as caught:
        settings({variable: text})
    assert str(caught.value) == f"{variable}: {key} must be {expected}, not {text!r}"


@pytest.mark.parametrize(
    ("variable", "suggestion"),
    [
        ("WAYPOST_EDGE__WORKER", "WAYPOST_EDGE__WORKERS"),
        ("WAYPOST_EDGE_WORKERS", "WAYPOST_EDGE__WORKERS"),
        ("WAYPOST_MAIL__PASWORD", "WAYPOST_MAIL__PASSWORD"),
    ],
)
def test_an_unknown_variable_is_refused_with_what_was_meant(variable, suggestion):
    with pytest.raises(InvalidSettings, match=f"{variable}: unknown setting {variable}; did you mean {suggestion}"):
        settings({variable: "1"})


def test_the_variables_of_command_line_options_are_not_settings():
    assert settings({"WAYPOST_DATA": "/d", "WAYPOST_CONFIG": "/c"}) == settings({})


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("workers = 2", "unknown setting workers; did you mean edge.workers?"),
        ("[edge]\nworker = 2", "unknown setting edge.worker; did you mean edge.workers?"),
        ("[edges]\nworkers = 2", "unknown setting edges; did you mean edge?"),
        ("db = 'postgresql://u:topsecret@h/d'", "db must be a section, [db], not a value"),
        ("[edge]\nworkers = '2'", "edge.workers must be a whole number of processes from 1 to 64, not '2'"),
        ("[edge]\nworkers = true", "edge.workers must be a whole number of processes from 1 to 64, not True"),
        ("[edge]\nlisten = 8026", "edge.listen must be host:port, with a port from 1 to 65535, not 8026"),
        ("[spool]\nsegment_seconds = 0", "spool.segment_seconds must be a number of seconds from 0.05 to 60, not 0"),
    ],
)
def test_a_file_is_refused_with_its_name_and_the_key(tmp_path, text, sentence):
    file = written(tmp_path, text)
    with pytest.raises(InvalidSettings) as caught:
        settings({}, file)
    assert str(caught.value) == f"{file}: {sentence}"


def test_networks_are_a_list_of_text_in_a_file_too(tmp_path):
    file = written(tmp_path, "[edge]\ntrusted_proxies = ['192.0.2.1']\n")
    assert settings({}, file).edge.trusted_proxies == (Network.parse("192.0.2.1/32"),)
    with pytest.raises(InvalidSettings, match="trusted_proxies must be a list, each an IP address"):
        settings({}, written(tmp_path, "[edge]\ntrusted_proxies = [1]\n"))


def test_every_problem_of_every_source_is_listed_at_once(tmp_path):
    file = written(tmp_path, "[edge]\nworker = 2\nlisten = ''\n")
    with pytest.raises(InvalidSettings) as caught:
        settings({"WAYPOST_MAIL__CONNECTIONS": "1000"}, file)
    assert [problem.origin for problem in caught.value.problems] == [str(file), str(file), "WAYPOST_MAIL__CONNECTIONS"]


@pytest.mark.parametrize(
    ("content", "reason"),
    [(None, "cannot be read: No such file or directory"), (b"[edge\n", "is not TOML"), (b"\xff", "is not TOML")],
)
def test_a_file_that_cannot_be_read_is_named(tmp_path, content, reason):
    file = tmp_path / "waypost.toml"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ConfigFileError, match=reason) as caught:
        settings({}, file)
    assert caught.value.path == file


def test_settings_print_without_their_secrets():
    secret = settings(
        {"WAYPOST_MAIL__PASSWORD": "hunter2", "WAYPOST_DB__URL": "postgresql+psycopg://w:hunter2@db.example/waypost"}
    )
    assert "hunter2" not in repr(secret)
    assert str(secret.mail.password) == "***"
    assert str(secret.db.url) == "postgresql+psycopg://w:***@db.example/waypost"
    assert secret.mail.password.reveal() == "hunter2"


def test_a_wrong_secret_is_not_repeated(tmp_path):
    with pytest.raises(InvalidSettings) as caught:
        settings({}, written(tmp_path, "[mail]\npassword = 31337\n"))
    assert "31337" not in str(caught.value)


def test_settings_are_frozen():
    with pytest.raises(AttributeError):
        settings({}).edge.workers = 2
