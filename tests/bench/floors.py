"""What a server can do that does nothing: the floors that every figure is put beside."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from flask import Flask

_BODY = b'{"hello":"world"}'

flask = Flask("tests.bench.floors")


@flask.post("/<path:_any>")
def hello(_any: str) -> dict[str, str]:
    return {"hello": "world"}


def raw(_environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(_BODY)))])
    return [_BODY]
