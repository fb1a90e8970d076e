"""What strangers send: shapes for Hypothesis, and what every answer must be."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

BOUNDED = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
_NASTY = (
    "",
    " ",
    "\x00",
    "\r\nSet-Cookie: a=b",
    "' OR 1=1 --",
    "{{7*7}}",
    "<script>alert(1)</script>",
    "../../etc/passwd",
    "\ud7ff\uffff",
    "\u202eevil",
    "%00%ff%2e",
    "-1",
    "9" * 400,
    "1e400",
    "NaN",
    "null",
    "true",
    "[]",
    "{}",
    "__proto__",
    "a" * 5000,
    "eyJhbGciOiJub25lIn0.e30.",
    "con_" + "a" * 26,
    "urn:ietf:params:oauth:request_uri:x",
    "http://127.0.0.1:8070/callback",
    "S256",
    "code",
    "openid",
)
texts = st.one_of(st.sampled_from(_NASTY), st.text(max_size=60))
json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), texts),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(texts, inner, max_size=4)),
    max_leaves=12,
)


def fields(*known: str, base: dict[str, str] | None = None) -> st.SearchStrategy[list[tuple[str, str]]]:
    """Parameters as pairs: a sound request with some replaced, some repeated, and strangers among them."""
    names = st.one_of(st.sampled_from(known), st.text(max_size=12))
    return st.lists(st.tuples(names, texts), max_size=8).map(lambda changes: _mixed(base or {}, changes))


def json_objects(*known: str) -> st.SearchStrategy[dict[str, Any]]:
    """Objects with some members that the reader knows."""
    names = st.one_of(st.sampled_from(known), texts)
    return st.dictionaries(names, json_values, max_size=8)


def assert_sound(answer: Any) -> None:
    """No error of ours, no trace of code, and an error in a form that programs read."""
    assert answer.status_code < 500, answer.get_data(as_text=True)
    text = answer.get_data(as_text=True)
    assert "Traceback" not in text
    assert "/connector/" not in text
    assert "sqlite" not in text.lower()
    if answer.status_code >= 400 and answer.mimetype.endswith("json"):
        said = json.loads(text)
        assert "error" in said or {"code", "title", "status"} <= said.keys()


def _mixed(base: dict[str, str], changes: list[tuple[str, str]]) -> list[tuple[str, str]]:
    changed = {name for name, _ in changes}
    return [(name, value) for name, value in base.items() if name not in changed] + changes
