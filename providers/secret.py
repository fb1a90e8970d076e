"""A string that does not show itself."""

from __future__ import annotations

import hmac
from typing import NoReturn


class Secret:
    """A token, code, password or key as text.

    It refuses `str`, formatting, pickling, copying and JSON, so that it cannot reach a log or a page by accident.
    `reveal()` is the one way out, and easy to search for.
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The text itself. The caller answers for where it goes."""
        return self._text

    def __repr__(self) -> str:
        return "<secret>"

    def __str__(self) -> NoReturn:
        raise TypeError("a secret has no text form; call reveal() where it must leave")

    def __format__(self, spec: str) -> NoReturn:
        raise TypeError("a secret cannot be formatted; call reveal() where it must leave")

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a secret cannot be pickled or copied")

    def __bool__(self) -> bool:
        return bool(self._text)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self._text.encode(), other._text.encode())

    __hash__ = None  # type: ignore[assignment]  # a secret is no key of a dict: hashing would compare in variable time
