"""Which database a setting names."""

from pathlib import Path

import pytest

from waypost.db import DatabaseUrlError, database_url

DATA = Path("/data")


@pytest.mark.parametrize(
    ("configured", "expected"),
    [
        pytest.param("", "sqlite:////data/control.sqlite3", id="nothing set: SQLite in the data directory"),
        ("sqlite:////elsewhere/file.db", "sqlite:////elsewhere/file.db"),
        ("postgresql+psycopg://u:p@h:1/d", "postgresql+psycopg://u:p@h:1/d?connect_timeout=5"),
        pytest.param(
            "postgresql://u@h/d?connect_timeout=60&sslmode=require",
            "postgresql+psycopg://u@h/d?connect_timeout=60&sslmode=require",
            id="psycopg 3 is the driver we ship; what is set stays set",
        ),
    ],
)
def test_a_url_is_read(configured, expected):
    assert database_url(configured, DATA).render_as_string(hide_password=False) == expected


@pytest.mark.parametrize(
    ("configured", "said"),
    [
        ("sqlite://", "must be a file"),
        ("sqlite:///:memory:", "must be a file"),
        ("mysql://u:topsecret@h/d", "mysql is neither"),
        ("://topsecret", "not a URL"),
        pytest.param("postgresql://u:x@h:topsecret/d", "not a URL", id="a port that is no number"),
    ],
)
def test_a_database_we_cannot_use_is_refused_without_repeating_its_password(configured, said):
    with pytest.raises(DatabaseUrlError, match=said) as refused:
        database_url(configured, DATA)

    assert "topsecret" not in str(refused.value)
