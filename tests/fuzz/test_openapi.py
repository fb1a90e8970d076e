"""Every operation of the document, as Schemathesis makes requests of it: none of them ends in an error of ours."""

from __future__ import annotations

from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings

from connector.clients import API_SCOPES, NewClient, add_client, issue_access_token
from tests.gateways import bearer
from tests.signing_up import Town


@pytest.fixture(scope="module")
def document(fair: Town) -> Any:
    return schemathesis.openapi.from_wsgi("/openapi.json", fair.app)


@pytest.fixture(scope="module")
def everything(fair: Town) -> dict[str, str]:
    new = NewClient(fair.house.tenant.id, "everything", "worker", scopes=API_SCOPES, purposes=("service", "sync"))
    with fair.gateway.store.transaction() as tx:
        client, _ = add_client(tx, fair.gateway.vault, new)
        token = issue_access_token(tx, fair.gateway.vault, client, kind="client", scopes=API_SCOPES, lifetime_s=10**6)
    return bearer(token.reveal())


def test_no_operation_of_the_document_stumbles(document: Any, everything: dict[str, str]) -> None:
    for found in document.get_all_operations():
        operation = found.ok()

        @settings(max_examples=5, deadline=None, suppress_health_check=list(HealthCheck), database=None)
        @given(case=operation.as_strategy())
        def requests(case: Any) -> None:
            answer = case.call(headers=everything)
            assert answer.status_code < 500, (case.method, case.path)
            assert b"Traceback" not in answer.content

        requests()
