"""How requests are read strictly, and refused in a sentence."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from providers.exchange import Request, Response


class Refused(AssertionError):
    """The browser or a request came with something that the entry does not allow; the sentence says what."""


def once(pairs: list[tuple[str, str]]) -> dict[str, str]:
    """The fields, none of them twice. Raises Refused."""
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise Refused("a parameter is there twice")
    return fields


def read_body(request: Request, kind: str) -> dict[str, str]:
    """The fields of a body that is a form, JSON, or none at all. Raises Refused."""
    if urlsplit(request.url).query:
        raise Refused("there is something in the query of a request that has a body")
    body, said = request.body or b"", request.headers.get("Content-Type", "")
    if kind == "none":
        if body:
            raise Refused("the request has a body, where none is taken")
        return {}
    wanted = "application/json" if kind == "json" else "application/x-www-form-urlencoded"
    if said != wanted:
        raise Refused(f"the request's body is {said or 'nothing'}, not {wanted}")
    fields = json.loads(body) if kind == "json" else once(parse_qsl(body.decode(), keep_blank_values=True))
    return dict(fields)


def as_json(status: int, value: Any, **headers: str) -> Response:
    """A JSON answer."""
    return Response(status, {"content-type": "application/json", **headers}, json.dumps(value).encode())
