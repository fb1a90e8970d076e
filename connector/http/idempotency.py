"""`Idempotency-Key` on POST and PATCH: the same request sent twice is done once, and answered the same.

Answers are kept a day, sealed under the tenant's key. A request that failed frees its key, so that it may be sent
again. Routes that answer a token do not take part: no token is kept.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec

from flask import Response, make_response, request
from flask.typing import ResponseReturnValue

from connector.clients import Client, Kept, begin_request, forget_request, keep_answer
from connector.http.context import caller, gateway
from connector.http.operations import describe_idempotent

P = ParamSpec("P")

HEADER = "Idempotency-Key"
_KEPT_HEADERS = ("Content-Type", "Location", "Retry-After")
_FAILED = 400


def idempotent(view: Callable[P, ResponseReturnValue]) -> Callable[P, ResponseReturnValue]:
    """A view, behind `authentication.needs`, that honours `Idempotency-Key`."""

    @wraps(view)
    def once(*args: P.args, **kwargs: P.kwargs) -> ResponseReturnValue:
        key = request.headers.get(HEADER)
        if key is None:
            return view(*args, **kwargs)
        client = caller().client
        before = _begin(client, key)
        if before is not None:
            return _again(before)
        try:
            answer = make_response(view(*args, **kwargs))
        except BaseException:
            _forget(client, key)
            raise
        if answer.status_code >= _FAILED:
            _forget(client, key)
        else:
            _keep(client, key, answer)
        return answer

    return describe_idempotent(once)


def _begin(client: Client, key: str) -> Kept | None:
    line = f"{request.method} {request.full_path} {request.mimetype}".encode()
    with gateway().store.transaction() as tx:
        body = request.get_data(cache=True)
        return begin_request(tx, gateway().vault, client, key, line + b"\0" + body, about=_about())


def _about() -> str | None:
    """Whom the address names, so that the answer goes when they do."""
    named = request.view_args or {}
    return named.get("sub") or named.get("connection_id")


def _keep(client: Client, key: str, answer: Response) -> None:
    headers = {name: answer.headers[name] for name in _KEPT_HEADERS if name in answer.headers}
    packed = json.dumps({"headers": headers, "body": answer.get_data(as_text=True)}).encode()
    with gateway().store.transaction() as tx:
        keep_answer(tx, gateway().vault, client, key, Kept(answer.status_code, packed))


def _forget(client: Client, key: str) -> None:
    with gateway().store.transaction() as tx:
        forget_request(tx, client, key)


def _again(kept: Kept) -> Response:
    packed = json.loads(kept.answer)
    return Response(packed["body"], kept.status, headers=packed["headers"])
