"""From a TOML file to an `Entry`: every key is known, of the right type, and one of the words there are.

Nothing here knows what the facts mean: the dataclasses in `values` say what may stand where.
"""

from __future__ import annotations

import tomllib
import types
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from providers.entries.lines import line_of
from providers.entries.values import Entry

_WORDS: Mapping[type, str] = {str: "text", int: "a whole number", float: "a number", bool: "true or false"}
_UNKNOWN = "unknown"

# What a plain entry need not say of itself, because it is the same for all of them.
NOT_BUILT: Mapping[str, str] = {
    "import_contacts": "Reading an address book there is not built. Its profile is all that is read.",
    "write_back": "Writing to this account is not built, or not offered there. Change it at the provider.",
    "signals": "No signal of a withdrawn grant is taken from there; it is noticed at the next call.",
}


class CatalogueError(Exception):
    """An entry of the catalogue is wrong; the message names file, line and key, and says how to mend it."""


class Complaint(Exception):
    """Something is wrong at a key; whoever knows the file turns it into a CatalogueError."""

    def __init__(self, path: tuple[str, ...], what: str) -> None:
        super().__init__(what)
        self.path = path
        self.what = what


def read_file(path: Path, check: Callable[[Entry], None]) -> Entry:
    """One entry, read and checked. Raises CatalogueError; the file must be called as the entry is."""
    try:
        text = path.read_text(encoding="utf-8")
        raw = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise CatalogueError(f"{path.name}: not readable as TOML: {error}") from error
    try:
        entry = _filled(raw)
        _check_name(entry, path)
        check(entry)
    except Complaint as complaint:
        line = line_of(text, *complaint.path)
        raise CatalogueError(f"{path.name}:{line}: {'.'.join(complaint.path)}: {complaint.what}") from None
    return entry


def _check_name(entry: Entry, path: Path) -> None:
    if entry.name != path.stem:
        raise Complaint(("name",), f"must be {path.stem!r}, as the file is called.")


def _filled(raw: dict[str, Any]) -> Entry:
    """The entry, with what follows for every plain one: why some things are not built, its parameters as settings."""
    entry: Entry = _dataclass(Entry, raw, ())
    added: dict[str, Any] = {}
    if not entry.adapter:
        missing = {word: why for word, why in NOT_BUILT.items() if word not in entry.capabilities}
        added["lacks"] = {**missing, **entry.lacks}
    if entry.parameters:
        added["settings"] = {**entry.settings, **{name: one.words for name, one in entry.parameters.items()}}
    for name, value in added.items():
        object.__setattr__(entry, name, value)
    return entry


@cache
def _schema(kind: type) -> tuple[Mapping[str, Any], frozenset[str]]:
    """The types of a dataclass by field, and which must be said."""
    hints = get_type_hints(kind, include_extras=True)
    required = {one.name for one in fields(kind) if one.default is MISSING and one.default_factory is MISSING}
    return hints, frozenset(required)


def _dataclass(kind: type, raw: Any, path: tuple[str, ...]) -> Any:
    if type(raw) is not dict:
        raise Complaint(path, "must be a table.")
    hints, required = _schema(kind)
    for name in raw:
        if name not in hints:
            raise Complaint((*path, name), "unknown key. Remove it or correct its spelling.")
    for name in hints:
        if name in required and name not in raw:
            raise Complaint((*path, name), "missing. Add it.")
    return kind(**{name: _value(hints[name], value, (*path, name)) for name, value in raw.items()})


def _value(hint: Any, raw: Any, path: tuple[str, ...]) -> Any:
    origin, parts = get_origin(hint), get_args(hint)
    if isinstance(hint, type) and is_dataclass(hint):
        return _dataclass(hint, raw, path)
    if origin is Literal:
        return _one_of(parts, raw, path)
    if origin in {Union, types.UnionType}:
        return _either(parts, raw, path)
    if origin is tuple:
        return _list(parts[0], raw, path)
    return _plain(hint, raw, path) if origin is None else _mapping(parts, raw, path)


def _plain(hint: type, raw: Any, path: tuple[str, ...]) -> Any:
    if type(raw) is not hint and not (hint is float and type(raw) is int):
        raise Complaint(path, f"must be {_WORDS[hint]}, is {_WORDS.get(type(raw), 'something else')}.")
    return raw


def _one_of(allowed: tuple[Any, ...], raw: Any, path: tuple[str, ...]) -> Any:
    if type(raw) is not str or raw not in allowed:
        raise Complaint(path, f"{raw!r} is none of {', '.join(filter(None, allowed))}.")
    return raw


def _either(parts: tuple[Any, ...], raw: Any, path: tuple[str, ...]) -> Any:
    if type(None) in parts and raw == _UNKNOWN:
        return None
    kinds = [part for part in parts if part is not type(None)]
    fitting = [part for part in kinds if type(raw) is part]
    return _value(fitting[0] if fitting else kinds[0], raw, path)


def _list(hint: Any, raw: Any, path: tuple[str, ...]) -> tuple[Any, ...]:
    if type(raw) is not list:
        raise Complaint(path, "must be a list.")
    numbered = is_dataclass(hint)
    return tuple(_value(hint, part, (*path, str(number)) if numbered else path) for number, part in enumerate(raw))


def _mapping(parts: tuple[Any, ...], raw: Any, path: tuple[str, ...]) -> dict[str, Any]:
    if type(raw) is not dict:
        raise Complaint(path, "must be a table.")
    name, value = parts
    if get_origin(name) is Annotated:
        for key in raw:
            _one_of(get_args(get_args(name)[1]), key, (*path, key))
    return {key: _value(value, part, (*path, key)) for key, part in raw.items()}
