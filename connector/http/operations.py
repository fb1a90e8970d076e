"""What each route is, said beside it: summary, scope, shapes. `openapi.py` makes the document from this.

A route without a description fails the tests, so the document is whole.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

_MARK = "__operation__"

Schema = Mapping[str, Any]

# Who may ask for a route that takes no scope, in words.
WHO: Mapping[str, str] = {
    "clients": "a client, by its credentials",
    "person": "a person's access token",
    "session": "the person, by their session",
    "link": "whoever holds the link",
    "browser": "the browser that began",
    "code": "whoever holds the code",
    "signature": "the provider, by its signature",
    "": "anyone",
}


@dataclass(frozen=True, slots=True)
class Operation:
    """One route for the document.

    Attributes:
        summary: one line.
        tag: the heading it stands under.
        scope: the scope its bearer token needs; "" where the route takes none.
        security: who may ask, as a word of `WHO`; "" for the scope or anyone.
        query: query parameters by name, each with its schema.
        body: the schema of the request's body, None where there is none.
        body_type: the body's content type.
        answers: by status, the schema of the answer, None where it has no body.
        answer_type: content type of the 2xx answers.
    """

    summary: str
    tag: str
    scope: str = ""
    security: str = ""
    query: Mapping[str, Schema] = field(default_factory=dict)
    body: Schema | None = None
    body_type: str = "application/json"
    answers: Mapping[int, Schema | None] = field(default_factory=dict)
    answer_type: str = "application/json"
    idempotent: bool = False


def operation(summary: str, tag: str, **parts: Any) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Describe the route that the decorated view serves. `parts` are the fields of `Operation`."""

    def decorate(view: Callable[P, R]) -> Callable[P, R]:
        known = operation_of(view)
        described = Operation(summary, tag, **parts)
        if known is not None:
            described = replace(
                described, scope=described.scope or known.scope, idempotent=described.idempotent or known.idempotent
            )
        setattr(view, _MARK, described)
        return view

    return decorate


def operation_of(view: Callable[..., Any]) -> Operation | None:
    """What was said of a view."""
    found = getattr(view, _MARK, None)
    return found if isinstance(found, Operation) else None


def describe_scope(view: Callable[P, R], scope: str) -> Callable[P, R]:
    """Note the scope that `authentication.needs` asks for; the two cannot differ."""
    known = operation_of(view)
    setattr(view, _MARK, replace(known or Operation("", ""), scope=scope))
    return view


def describe_idempotent(view: Callable[P, R]) -> Callable[P, R]:
    """Note that the route takes an Idempotency-Key."""
    known = operation_of(view)
    setattr(view, _MARK, replace(known or Operation("", ""), idempotent=True))
    return view


TEXT: Schema = {"type": "string"}
INTEGER: Schema = {"type": "integer"}
FLAG: Schema = {"type": "boolean"}
WORDS: Schema = {"type": "array", "items": TEXT}


def an_object(required: Mapping[str, Schema], optional: Mapping[str, Schema] | None = None) -> Schema:
    """The schema of an object with these members."""
    return {
        "type": "object",
        "properties": {**required, **(optional or {})},
        "required": list(required),
    }


def a_page_of(item: Schema) -> Schema:
    """The schema of a list answer: `items`, and `next` where there is more."""
    return an_object({"items": {"type": "array", "items": item}}, {"next": {"type": ["string", "null"]}})
