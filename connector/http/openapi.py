"""The OpenAPI 3.1 document, made from what stands beside each route."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from importlib.metadata import version
from typing import Any

from flask import Flask

from connector.clients import SCOPES
from connector.http.operations import WHO, Operation, operation_of
from connector.http.problems import MEDIA_TYPE
from connector.http.surfaces import Surface, surface_of

_PARAMETER = re.compile(r"<(?:[a-z]+:)?([a-z_]+)>")
_SCHEME_OF = {"clients": "client", "person": "person", "session": "session"}
_UNDOCUMENTED_METHODS = {"HEAD", "OPTIONS"}
_PROBLEM = {
    "type": "object",
    "properties": {
        "type": {"type": "string", "format": "uri"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "code": {"type": "string"},
        "clause": {"type": "string"},
        "request_id": {"type": "string"},
    },
    "required": ["type", "title", "status", "detail", "code"],
}
_OAUTH_ERROR = {
    "type": "object",
    "properties": {
        "error": {"type": "string"},
        "error_description": {"type": "string"},
        "code": {"type": "string"},
        "clause": {"type": "string"},
    },
    "required": ["error"],
}


def routes(app: Flask) -> Iterator[tuple[str, str, Callable[..., Any]]]:
    """Every route that is served: path as OpenAPI writes it, method, view. Static files are left out."""
    for rule in sorted(app.url_map.iter_rules(), key=lambda rule: rule.rule):
        if rule.endpoint == "static":
            continue
        for method in sorted((rule.methods or set()) - _UNDOCUMENTED_METHODS):
            yield _PARAMETER.sub(r"{\1}", rule.rule), method, app.view_functions[rule.endpoint]


def document(app: Flask, issuer: str, *, session_cookie: str) -> dict[str, Any]:
    """The document for an application that is served at `issuer`. `session_cookie`: its name on people's own pages."""
    paths: dict[str, dict[str, Any]] = {}
    for path, method, view in routes(app):
        described = operation_of(view)
        if described is not None and described.summary:
            paths.setdefault(path, {})[method.lower()] = _operation(path, method, described)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Account connector gateway",
            "version": version("account-connector-gateway"),
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": issuer}],
        "paths": paths,
        "components": {
            "securitySchemes": _schemes(issuer, session_cookie),
            "schemas": {"Problem": _PROBLEM, "OAuthError": _OAUTH_ERROR},
        },
    }


def _schemes(issuer: str, session_cookie: str) -> dict[str, Any]:
    return {
        "bearer": {
            "type": "oauth2",
            "flows": {
                "clientCredentials": {"tokenUrl": f"{issuer}/oauth/token", "scopes": dict.fromkeys(SCOPES, "")},
            },
        },
        "client": {"type": "http", "scheme": "basic"},
        "person": {"type": "http", "scheme": "bearer"},
        "session": {"type": "apiKey", "in": "cookie", "name": session_cookie},
    }


def _operation(path: str, method: str, described: Operation) -> dict[str, Any]:
    found: dict[str, Any] = {
        "operationId": f"{method.lower()}{re.sub(r'[^a-z0-9]+', '_', path.lower()).rstrip('_')}",
        "summary": described.summary,
        "tags": [described.tag],
        "parameters": [*_path_parameters(path), *_query_parameters(described), *_headers(described)],
        "responses": _responses(path, described),
        "security": _security(described),
    }
    if not described.scope:
        found["description"] = f"Who may ask: {WHO[described.security]}."
    if described.body is not None:
        found["requestBody"] = {"required": True, "content": {described.body_type: {"schema": described.body}}}
    return found


def _path_parameters(path: str) -> list[dict[str, Any]]:
    names = re.findall(r"{([a-z_]+)}", path)
    return [{"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in names]


def _query_parameters(described: Operation) -> list[dict[str, Any]]:
    return [{"name": name, "in": "query", "schema": dict(schema)} for name, schema in described.query.items()]


def _headers(described: Operation) -> list[dict[str, Any]]:
    if not described.idempotent:
        return []
    return [{"name": "Idempotency-Key", "in": "header", "schema": {"type": "string", "maxLength": 255}}]


def _responses(path: str, described: Operation) -> dict[str, Any]:
    surface = surface_of(path)
    found = {
        str(status): _response(schema, described.answer_type if status < 400 else "application/json")  # noqa: PLR2004
        for status, schema in (described.answers or {200: None}).items()
    }
    if surface is Surface.OAUTH:
        found["default"] = _response({"$ref": "#/components/schemas/OAuthError"}, "application/json", "What went wrong")
    elif surface is Surface.API:
        found["default"] = _response({"$ref": "#/components/schemas/Problem"}, MEDIA_TYPE, "What went wrong")
    return found


def _response(schema: Any, media_type: str, words: str = "") -> dict[str, Any]:
    described: dict[str, Any] = {"description": words or "As asked"}
    if schema is not None:
        described["content"] = {media_type: {"schema": dict(schema)}}
    return described


def _security(described: Operation) -> list[dict[str, list[str]]]:
    if described.scope:
        return [{"bearer": [described.scope]}]
    scheme = _SCHEME_OF.get(described.security)  # for a link, a code or a signature OpenAPI has none: words say it
    return [] if scheme is None else [{scheme: []}]
