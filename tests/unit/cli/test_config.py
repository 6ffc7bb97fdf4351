"""`waypost config show|defaults|check` as an operator sees them."""

import tomllib

from click.testing import CliRunner

from waypost.cli.main import main


def run(*arguments, **environ):
    return CliRunner().invoke(main, ["config", *arguments], env=environ)


def test_show_prints_each_setting_with_its_value_and_origin():
    result = run("show", WAYPOST_EDGE__WORKERS="2", WAYPOST_MAIL__PASSWORD="hunter2")
    lines = [" ".join(line.split()) for line in result.output.splitlines()]
    assert result.exit_code == 0
    assert "edge.workers = 2 # WAYPOST_EDGE__WORKERS" in lines
    assert 'mail.password = "***" # WAYPOST_MAIL__PASSWORD' in lines
    assert 'links.development_domains = ["localhost"] # default' in lines
    assert "spool.sync_wait_seconds = 0.025 # default" in lines


def test_show_pads_no_line_for_the_sake_of_a_long_value():
    lines = run("show").output.splitlines()
    shown = {line.split()[0]: line for line in lines}
    assert max(len(line) for key, line in shown.items() if key not in {"geoip.sources", "geoip.attribution"}) < 100
    assert max(map(len, lines)) == len(shown["geoip.sources"])


def test_what_show_prints_is_toml():
    assert tomllib.loads(run("show").output)["control"]["sign_up"] is True


def test_defaults_prints_a_file_that_explains_every_setting_and_changes_none(tmp_path):
    file = tmp_path / "w.toml"
    file.write_text(run("defaults").output, encoding="utf-8")
    explained = [line.split()[0] for line in file.read_text("utf-8").splitlines() if " = " in line and line[0] != "#"]
    assert explained == [line.split()[0].partition(".")[2] for line in run("show").output.splitlines()]
    assert run("check", "--config", str(file)).output == "The settings are right (0 changed from the defaults).\n"


def test_help_names_the_variables_and_where_settings_are_explained():
    shown = " ".join(run("show", "--help").output.split())
    assert "in TOML; `waypost config defaults`" in shown
    assert "[env var: WAYPOST_CONFIG]" in shown
    assert "WAYPOST_SECTION__KEY" in CliRunner().invoke(main, ["--help"]).output
    assert "[env var: WAYPOST_DATA]" in " ".join(CliRunner().invoke(main, ["block", "list", "-h"]).output.split())


def test_check_counts_what_differs_from_the_defaults(tmp_path):
    file = tmp_path / "w.toml"
    file.write_text("[edge]\nworkers = 2\n[mail]\nrelay_port = 2525\n")
    assert run("check", "--config", str(file)).output == "The settings are right (2 changed from the defaults).\n"


def test_check_lists_what_is_wrong_and_ends_with_2():
    result = run("check", WAYPOST_EDGE__WORKRS="2", WAYPOST_MAIL__CONNECTIONS="0")
    assert result.exit_code == 2
    assert "did you mean WAYPOST_EDGE__WORKERS?" in result.output
    assert "mail.connections must be a whole number of connections from 1 to 100" in result.output
