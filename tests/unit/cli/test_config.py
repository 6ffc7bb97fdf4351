"""`waypost config show|check` as an operator sees them."""

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


def test_check_counts_what_differs_from_the_defaults(tmp_path):
    file = tmp_path / "w.toml"
    file.write_text("[edge]\nworkers = 2\n[mail]\nrelay_port = 2525\n")
    assert run("check", "--config", str(file)).output == "The settings are right (2 changed from the defaults).\n"


def test_check_lists_what_is_wrong_and_ends_with_2():
    result = run("check", WAYPOST_EDGE__WORKRS="2", WAYPOST_MAIL__CONNECTIONS="0")
    assert result.exit_code == 2
    assert "did you mean WAYPOST_EDGE__WORKERS?" in result.output
    assert "mail.connections must be a whole number of connections from 1 to 100" in result.output
