"""The catalogue of providers: one TOML entry each, and the way from a name to its adapter.

What is only data stays data. An entry says where a provider is, how its tokens live, what each scope imports, and in
words what it lacks. It is read and checked when it is first asked for: an unknown key, an address that is not https, or
a capability without its scope stops with the file and the line (`providers/entries`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from difflib import get_close_matches
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import cast

from providers.capabilities import (
    Adapter,
    Authorizes,
    ReadsContacts,
    ReadsProfile,
    Refreshes,
    Revokes,
    SendsSignals,
    WritesProfile,
)
from providers.entries.reading import CatalogueError, read_file
from providers.entries.sense import check_entry
from providers.entries.values import Entry, Refresh, Scope

__all__ = [
    "CAPABILITIES",
    "CatalogueError",
    "Entry",
    "Refresh",
    "Scope",
    "adapter",
    "entry",
    "load",
    "names",
    "nearest",
    "read_entry",
]

ENTRIES = Path(__file__).with_suffix("")

CAPABILITIES: Mapping[str, type] = {
    "authorise": Authorizes,
    "refresh": Refreshes,
    "revoke": Revokes,
    "import_profile": ReadsProfile,
    "import_contacts": ReadsContacts,
    "write_back": WritesProfile,
    "signals": SendsSignals,
}


def load(folder: Path = ENTRIES) -> Mapping[str, Entry]:
    """Every entry of a folder, by name. Raises CatalogueError."""
    entries = {path.stem: read_entry(path) for path in sorted(folder.glob("*.toml"))}
    if not entries:
        raise CatalogueError(f"{folder}: no entries. Install the package anew.")
    return entries


def read_entry(path: Path) -> Entry:
    """One entry, checked. Raises CatalogueError that names file, line and key."""
    return read_file(path, check_entry)


@cache
def names() -> tuple[str, ...]:
    """The names of all providers, sorted; no entry is opened for them. Raises CatalogueError where there is none."""
    found = tuple(sorted(path.stem for path in ENTRIES.glob("*.toml")))
    if not found:
        raise CatalogueError(f"{ENTRIES}: no entries. Install the package anew.")
    return found


def nearest(name: str) -> str:
    """A few names that a mistyped one may have meant, and where all of them are, as the end of a sentence."""
    close = get_close_matches(name.lower(), names(), n=3, cutoff=0.5)
    guess = f"did you mean {' or '.join(close)}? " if close else ""
    return f"{guess}All {len(names())} are told by: connector providers list"


@cache
def entry(name: str) -> Entry:
    """The facts about one provider, read when first asked for. Raises KeyError where no entry has that name."""
    if name not in names():
        raise KeyError(name)
    return read_entry(ENTRIES / f"{name}.toml")


@cache
def adapter(name: str) -> Adapter:
    """The adapter of a provider, one per process, imported when first asked for. Raises KeyError as `entry`.

    An entry that names none is spoken for by the generic one. Adapters are safe to share between threads: what one
    keeps (key sets, metadata) it guards itself.
    """
    facts = entry(name)
    if not facts.adapter:
        by_entry = cast("Callable[[Entry], Adapter]", import_module("providers.generic").adapter_of)
        return by_entry(facts)
    module, _, made_by = facts.adapter.partition(":")
    make = cast("Callable[[], Adapter]", getattr(import_module(module), made_by))
    return make()
