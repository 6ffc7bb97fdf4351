"""Whatever the OpenAPI document allows, and what it does not, is answered as the document says: never with a 5xx."""

import itertools
import json
import re
import time

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from waypost.control.openapi import document
from waypost.db.states import Role

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
SCHEMA = schemathesis.openapi.from_dict(json.loads(document()))
OPERATIONS = [result.ok() for result in SCHEMA.get_all_operations()]
# All operations together take about ten seconds; on a slow machine fewer examples are tried, but these.
EXAMPLES = 8
AT_LEAST = 4
SECONDS_EACH = 0.2


@pytest.fixture(scope="module")
def callers(served):
    """Headers of an account's keys of each role, of the operator's, and none."""
    tenant = served.tenant()
    of_roles = {role: served.as_role(tenant, role).headers for role in Role}
    return [of_roles[Role.STANDARD], of_roles[Role.IAC], served.operator().headers, {}, *of_roles.values()]


ERASED = {"recipient_email_address": "nobody@example.com"}


@pytest.fixture(scope="module")
def ids(served):
    """What the paths may name: of an account nobody else uses, but for the operator."""
    tenant = served.tenant()
    manager = served.as_role(tenant, Role.IAC)
    endpoint_id = manager.post("/api/v1/webhook", {"url": "https://hooks.example/"}).json()["endpoint_id"]
    return {
        "endpoint_id": endpoint_id,
        "message_id": manager.post(f"/api/v1/webhook/{endpoint_id}/test", None).json()["message_id"],
        "send_id": tenant.send(click_tracking=True, content_text="text").json()["send_id"],
        "profile_id": str(tenant.profile.public_id),
        "key_id": str(served.another_key(tenant.account, Role.READ_ONLY).api_key.public_id),
        "account_id": str(tenant.account.public_id),
        "erasure_id": tenant.post("/api/v1/erasure", ERASED).json()["erasure_id"],
        "dimension": "country",
        "of": {role: served.as_role(tenant, role).headers for role in (Role.STANDARD, Role.IAC)},
    }


@pytest.mark.parametrize("served", ["sqlite"], indirect=True)
@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.label)
@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
def test_answers_conform_to_the_document(served, callers, operation, mode):
    origin = str(served.client.base_url)
    number = itertools.count()
    until = time.monotonic() + SECONDS_EACH

    @given(case=operation.as_strategy(generation_mode=mode))
    @settings(max_examples=EXAMPLES, phases=[Phase.generate], suppress_health_check=list(HealthCheck), database=None)
    def conforms(case):
        tried = next(number)
        if tried >= AT_LEAST and time.monotonic() > until:
            return
        headers = callers[tried % len(callers)]
        case.call_and_validate(base_url=origin, headers=headers, checks=CHECKS)

    conforms()


@pytest.mark.parametrize("served", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    "operation",
    [each for each in OPERATIONS if each.method == "get" and "{" in each.path],
    ids=lambda operation: operation.label,
)
def test_what_is_there_is_shown_as_the_document_says(served, ids, operation):
    names = re.findall(r"{(\w+)}", operation.path)
    owner = served.operator().headers if "account_id" in names else ids["of"][Role.STANDARD]
    headers = ids["of"][Role.IAC] if "key_id" in names else owner

    case = operation.Case(path_parameters={name: ids[name] for name in names})

    answer = case.call(base_url=str(served.client.base_url), headers=headers)
    assert answer.status_code == 200, answer.text
    case.validate_response(answer, checks=CHECKS)
