"""The example that walks through the API, with the tools it names and nothing else."""

import os
import subprocess
from pathlib import Path

import pytest
from tests.debian import require

SCRIPT = Path(__file__).parents[2] / "examples" / "api-walk.sh"


def walk(installation, operator, *arguments):
    environment = {"WALK_API": installation.product.origin, "WALK_OPERATOR": operator}
    return subprocess.run(
        ["bash", SCRIPT, *arguments],
        env={"PATH": os.environ["PATH"], **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def operator_key(installation):
    options = ("--data", str(installation.product.data), "--config", str(installation.product.config))
    return installation.product.command(
        "api-keys", "create", "operator@localhost", "--name", "walk", "--role", "iac", *options
    )


def test_it_goes_from_a_new_account_to_the_events_of_its_first_message(installation):
    require("curl", binary="curl")
    require("jq", binary="jq")

    done = walk(installation, operator_key(installation), "walker@walk.example")

    assert done.returncode == 0, done.stdout + done.stderr
    said = done.stdout.splitlines()
    assert "  walker@walk.example waits" in said
    assert "  walker@walk.example is approved" in said
    assert "  https://shop.example/ is tracked" in said
    assert "  Hello to reader@inbox.example" in said
    assert any(line.startswith("  nobody refused recipient_email_address: must be an e-mail address") for line in said)
    assert [line for line in said if line.strip() in {"accepted", "queued", "processed", "sent", "delivered"}][-1] == (
        "  delivered"
    )
    assert installation.sink.delivered["ada@inbox.example"].links


def test_a_refusal_ends_it_with_what_the_api_said(installation):
    require("curl", binary="curl")
    require("jq", binary="jq")
    options = ("--data", str(installation.product.data), "--config", str(installation.product.config))
    installation.product.command("accounts", "create", "--name", "First", "--email", "twice@walk.example", *options)

    done = walk(installation, operator_key(installation), "twice@walk.example")

    assert done.returncode == 1
    assert "POST /api/v1/account -> 409" in done.stderr
    assert "there is an account for twice@walk.example already" in done.stderr
    assert f"The argument names another address: {SCRIPT} another@walk.example\n" in done.stderr


@pytest.mark.parametrize(
    ("operator", "refusal"),
    [
        ("nonsense", ""),
        ("nobody:wrong", "POST /oauth/token?grant_type=password -> 401"),
        (None, "GET /api/v1/admin/account?state=pending -> 403"),
    ],
    ids=["no credential", "a wrong one", "no operator's"],
)
def test_without_an_operator_it_says_so_and_makes_nothing(installation, operator, refusal):
    require("curl", binary="curl")
    require("jq", binary="jq")

    done = walk(installation, operator or ":".join(installation.credentials), "unmade@walk.example")

    assert done.returncode == 1
    assert refusal in done.stderr
    assert "WALK_OPERATOR must be the key:secret of an operator" in done.stderr
    options = ("--data", str(installation.product.data), "--config", str(installation.product.config))
    assert "unmade@walk.example" not in installation.product.command("accounts", "list", *options)
