"""How values look in answers: with their tags, their origin, and the clause that let them go."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from connector.flows.release_values import Shown, Withheld
from connector.http.operations import TEXT, Schema, an_object
from connector.model.instants import iso
from connector.records import SealedValue

TAGS: Schema = an_object(dict.fromkeys(("category", "source", "form", "age", "visibility", "revision"), TEXT))
ORIGIN: Schema = an_object(
    {"policy_version": TEXT}, {"provider": TEXT, "connection": TEXT, "field": TEXT, "consent": TEXT}
)
VALUE: Schema = an_object(
    {"pointer": TEXT, "value": {}, "tags": TAGS, "origin": ORIGIN, "collected_at": TEXT, "clause": TEXT}
)
WITHHELD: Schema = an_object({"pointer": TEXT, "tags": TAGS, "clause": TEXT, "reason": TEXT})


def shown_value(one: Shown) -> dict[str, Any]:
    """A value that was released."""
    return {
        "pointer": one.stored.pointer,
        "value": one.value,
        "tags": tags_of(one.stored),
        "origin": origin_of(one.stored),
        "collected_at": iso(one.stored.collected_at),
        "clause": one.clause,
    }


def withheld_value(one: Withheld) -> dict[str, Any]:
    """A value that was not, and why."""
    return {
        "pointer": one.stored.pointer,
        "tags": tags_of(one.stored),
        "clause": one.clause,
        "reason": one.reason,
    }


def tags_of(stored: SealedValue) -> Mapping[str, str]:
    """The tags as words."""
    tags = stored.tags
    words = (tags.category, tags.source, tags.form, tags.age, tags.visibility, tags.revision)
    return dict(zip(TAGS["properties"], (word.value for word in words), strict=True))


def origin_of(stored: SealedValue) -> Mapping[str, str]:
    """Where it came from; what is empty is left out."""
    origin = stored.origin
    parts = {
        "policy_version": origin.policy_version,
        "provider": origin.provider,
        "connection": origin.connection,
        "field": origin.field,
        "consent": origin.consent,
    }
    return {name: value for name, value in parts.items() if value}
