"""A merge patch (RFC 7396) of what the person typed in, as changes at pointers. A plain function of card and patch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from connector.model.errors import BadInput
from connector.records.jscontact import MAPS, SINGLE, check_value

MAX_ENTRIES = 100
_FRAME: Mapping[str, str] = {"@type": "Card", "version": "1.0"}  # may be sent along; they say nothing new


@dataclass(frozen=True, slots=True)
class Edit:
    """What a patch comes to: pointer → new value, and the pointers that are no longer there."""

    changed: Mapping[str, Any] = field(repr=False)
    removed: tuple[str, ...] = ()

    @property
    def pointers(self) -> tuple[str, ...]:
        """Everything that it touches, in order."""
        return tuple(sorted((*self.changed, *self.removed)))


def merged(given: Mapping[str, Any], patch: Mapping[str, Any]) -> Edit:
    """The changes that a patch makes to the values that are there (pointer → value).

    Raises:
        BadInput: a member that is not kept, or a value that is not what its place takes; nothing is changed then.
    """
    changed: dict[str, Any] = {}
    removed: list[str] = []
    for head, part in patch.items():
        if head in _FRAME:
            if part != _FRAME[head]:
                raise BadInput("bad_value", f"{head} of a card is {_FRAME[head]}; leave it out.")
        elif head in SINGLE:
            _put(changed, removed, given, f"/{head}", part)
        elif head in MAPS:
            _each_entry(changed, removed, given, head, part)
        else:
            raise BadInput(
                "unknown_member",
                f"A card here has no member {head[:40]!r}; it takes {', '.join(sorted(SINGLE | MAPS))}.",
            )
    edit = Edit(changed, tuple(removed))
    _check_sizes(given, edit)
    return edit


def _each_entry(changed: dict[str, Any], removed: list[str], given: Mapping[str, Any], head: str, part: Any) -> None:
    if part is None:
        removed += [pointer for pointer in given if pointer.startswith(f"/{head}/")]
        return
    if not isinstance(part, dict):
        raise BadInput("bad_value", f"/{head} is an object of entries by key, or null to remove them all.")
    for key, entry in part.items():
        _put(changed, removed, given, f"/{head}/{key}", entry)


def _put(changed: dict[str, Any], removed: list[str], given: Mapping[str, Any], pointer: str, part: Any) -> None:
    if part is None:
        if pointer in given:
            removed.append(pointer)
        return
    value = _merge(given.get(pointer), part)
    check_value(pointer, value)
    if pointer not in given or given[pointer] != value:
        changed[pointer] = value


def _merge(target: Any, patch: Any) -> Any:
    """RFC 7396 section 2."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = _merge(result.get(name), value)
    return result


def _check_sizes(given: Mapping[str, Any], edit: Edit) -> None:
    after = (set(given) | set(edit.changed)) - set(edit.removed)
    for head in MAPS:
        if sum(pointer.startswith(f"/{head}/") for pointer in after) > MAX_ENTRIES:
            raise BadInput("too_many_entries", f"/{head} takes at most {MAX_ENTRIES} entries; remove some first.")
