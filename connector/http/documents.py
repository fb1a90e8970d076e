"""`/openapi.json` and `/docs`: what the gateway's routes are, for machines and for people."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from flask import Blueprint, Response, current_app, jsonify, render_template

from connector.http import openapi
from connector.http.context import gateway
from connector.http.operations import FLAG, an_object, operation
from connector.http.pages.cookies import host_cookie
from connector.http.pages.portal_session import COOKIE as SESSION_COOKIE

blueprint = Blueprint("documents", __name__)


@blueprint.get("/openapi.json")
@operation("This document", "Documents", answers={200: {"type": "object"}})
def machine_readable() -> Response:
    """The OpenAPI 3.1 document of every route."""
    return jsonify(_document())


@blueprint.get("/.well-known/gpc.json")
@operation("Global Privacy Control is honoured here", "Documents", answers={200: an_object({"gpc": FLAG})})
def privacy_control() -> Response:
    """What the W3C draft on Global Privacy Control asks sites to say that keep to it."""
    return jsonify({"gpc": True, "lastUpdate": "2026-11-22"})


@blueprint.get("/docs")
@operation("The same for people", "Documents", answers={200: {"type": "string"}}, answer_type="text/html")
def for_people() -> str:
    """The same on one page, without scripts."""
    document = _document()
    groups: dict[str, list[dict[str, Any]]] = {}
    for shown in _operations(document):
        groups.setdefault(shown["tag"], []).append(shown)
    return render_template(
        "docs.html", title="The gateway's API", version=document["info"]["version"], groups=sorted(groups.items())
    )


def _document() -> dict[str, Any]:
    return openapi.document(
        current_app, gateway().settings.server.public_url, session_cookie=host_cookie(SESSION_COOKIE)
    )


def _operations(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for path, methods in document["paths"].items():
        for method, described in methods.items():
            bodies = described.get("requestBody", {}).get("content", {}).values()
            yield {
                "tag": described["tags"][0],
                "method": method.upper(),
                "path": path,
                "summary": described["summary"],
                "access": _access(described),
                "parameters": [parameter["name"] for parameter in described["parameters"]],
                "body": [name for body in bodies for name in body["schema"].get("properties", ())],
                "answers": [status for status in described["responses"] if status != "default"],
            }


def _access(described: dict[str, Any]) -> str:
    for scheme in described["security"]:
        if "bearer" in scheme:
            return f"a client's token with the scope {' '.join(scheme['bearer'])}"
    return str(described["description"]).removeprefix("Who may ask: ").removesuffix(".")
