"""The names of all settings, and the nearest one to a name that is none."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from connector.settings.models import Settings


@dataclass(frozen=True, slots=True)
class Known:
    """One setting: its dotted name, its field, and whether it may hold a secret."""

    name: str
    field: FieldInfo

    @property
    def secret(self) -> bool:
        """Whether the value may come from a file named by `…_FILE`, and is never shown."""
        extra = self.field.json_schema_extra
        return isinstance(extra, dict) and extra.get("secret") is True

    @property
    def variable(self) -> str:
        """The environment variable that overrides it."""
        return "CONNECTOR_" + self.name.replace(".", "__").upper()


def _walk(model: type[BaseModel], prefix: str) -> Iterator[Known]:
    for key, field in model.model_fields.items():
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            yield from _walk(inner, f"{prefix}{key}.")
        else:
            yield Known(f"{prefix}{key}", field)


KNOWN: Mapping[str, Known] = {known.name: known for known in _walk(Settings, "")}


def section_of(name: str) -> type[BaseModel] | None:
    """The model of a dotted section name, or None where no such section is."""
    model: type[BaseModel] = Settings
    for part in name.split("."):
        field = model.model_fields.get(part)
        inner: Any = field.annotation if field else None
        if not (isinstance(inner, type) and issubclass(inner, BaseModel)):
            return None
        model = inner
    return model


def nearest(name: str) -> str | None:
    """The known setting or section most like `name`.

    The same last word in another section comes first, then the whole name, then a last word that is near.
    """
    lasts = {known.rpartition(".")[2]: known for known in reversed(list(KNOWN))}
    sections = {known.rpartition(".")[0] for known in KNOWN}
    last = name.rpartition(".")[2]
    whole = difflib.get_close_matches(name, [*KNOWN, *sections], n=1, cutoff=0.75)
    near = difflib.get_close_matches(last, lasts, n=1, cutoff=0.8)
    return lasts.get(last) or next(iter(whole), None) or next((lasts[word] for word in near), None)


def unknown(name: str, written: str) -> str:
    """The sentence for a setting that is none. `written` is how it was spelled by the operator."""
    near = nearest(name)
    advice = f"did you mean {near}?" if near else "docs/settings.md lists them all."
    return f"{written} is no setting; {advice}"
