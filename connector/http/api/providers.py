"""`GET /v1/providers`: what each provider can do, in words and flags."""

from __future__ import annotations

from itertools import islice
from typing import Any

from flask import Blueprint

from connector.http.authentication import needs
from connector.http.context import gateway
from connector.http.operations import FLAG, TEXT, WORDS, a_page_of, an_object, operation
from connector.http.pagination import PARAMETERS, page, wanted
from connector.http.request import query
from providers import catalogue
from providers.catalogue import CAPABILITIES, Entry

blueprint = Blueprint("api_providers", __name__)

_CAPABILITY = an_object({"able": FLAG}, {"when": TEXT, "why_not": TEXT})
_PROVIDER = an_object(
    {
        "name": TEXT,
        "title": TEXT,
        "protocol": TEXT,
        "sector": TEXT,
        "default_scopes": WORDS,
        "scopes": {"type": "object", "additionalProperties": {"type": "object"}},
        "capabilities": {"type": "object", "additionalProperties": _CAPABILITY},
        "verified_on": {"type": "string", "format": "date"},
    },
    {"policy_url": TEXT, "deep_link": TEXT},
)


@blueprint.get("/v1/providers")
@operation("What each provider can do", "Providers", query=PARAMETERS, answers={200: a_page_of(_PROVIDER)})
@needs("connections:read")
def list_providers() -> dict[str, Any]:
    """Every provider that this gateway's mode allows, by name."""
    which = wanted(query(("limit", "cursor")))
    development = gateway().settings.is_development
    entries = (catalogue.entry(name) for name in catalogue.names() if not which.after or name > str(which.after[0]))
    allowed = (entry for entry in entries if development or not entry.development_only)
    return page(list(islice(allowed, which.limit + 1)), which, show=_shown, place=lambda entry: (entry.name,))


def _shown(entry: Entry) -> dict[str, Any]:
    facts = entry.as_json()
    kept = ("name", "title", "protocol", "sector", "default_scopes", "scopes", "policy_url", "deep_link", "verified_on")
    return {name: facts[name] for name in kept} | {
        "capabilities": {name: _capability(entry, name) for name in CAPABILITIES}
    }


def _capability(entry: Entry, name: str) -> dict[str, Any]:
    if not entry.can(name):
        return {"able": False, "why_not": entry.lacks[name]}
    when = entry.conditions.get(name)
    return {"able": True} | ({"when": when} if when else {})
