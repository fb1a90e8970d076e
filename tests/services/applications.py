"""Flask applications, which tests make by the thousand, without what each of them would compile anew.

For every route Werkzeug writes, parses and compiles two functions that build its URLs: forty milliseconds for one
application of ours, and hardly a test builds more than three URLs. Here they are made when one is first asked for.
Templates are compiled once a process, by Jinja's own cache for that. What is made is the same in both cases.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Flask
from jinja2 import BytecodeCache
from jinja2.bccache import Bucket
from werkzeug.routing import Rule

_Builder = Callable[..., tuple[str, str]]
_compile_now = Rule._compile_builder


def _compile_later(rule: Rule, append_unknown: bool = True) -> _Builder:
    made: list[_Builder] = []

    def build(bound_to: Any, **values: Any) -> tuple[str, str]:
        if not made:
            made.append(_compile_now(rule, append_unknown))
        return made[0](bound_to, **values)

    return build


class _Templates(BytecodeCache):
    """What templates were compiled to; a bucket's key and checksum say which template, and as it was written when."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, str], Any] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        bucket.code = self._kept.get((bucket.key, bucket.checksum))

    def dump_bytecode(self, bucket: Bucket) -> None:
        self._kept[bucket.key, bucket.checksum] = bucket.code


def pytest_configure() -> None:
    Rule._compile_builder = _compile_later  # type: ignore[method-assign]  # the one place that compiles
    Flask.jinja_options = {**Flask.jinja_options, "bytecode_cache": _Templates()}
