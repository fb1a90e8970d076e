"""What came with a request, read strictly: one value per name, known content types, bounded size."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any
from urllib.parse import parse_qsl

from flask import Request, request

from connector.clients.json_text import strict_object
from connector.model.errors import BadInput, NotFound

MAX_BODY = 256 * 1024
MAX_FORM_FIELDS = 64
MAX_VALUE = 16 * 1024
FORM = "application/x-www-form-urlencoded"
JSON = "application/json"
MERGE_PATCH = "application/merge-patch+json"  # RFC 7396


class UnsupportedMediaType(BadInput):
    """The body is of a type that this address does not take."""

    status = 415

    def __init__(self, wanted: str) -> None:
        super().__init__("unsupported_media_type", f"Send the body as {wanted}.")


class StrictRequest(Request):
    """Flask's request with bounds; multipart bodies are not parsed at all."""

    max_content_length = MAX_BODY
    max_form_parts = MAX_FORM_FIELDS
    max_form_memory_size = MAX_BODY


def refuse_nul() -> None:
    """No id and no page has a NUL in its address, and PostgreSQL takes none in a value."""
    if "\0" in request.path:
        raise NotFound("address")


def form() -> dict[str, str]:
    """The fields of a form body. A field without a value counts as absent (RFC 6749 section 3.1).

    Raises:
        UnsupportedMediaType: not form-encoded.
        BadInput: a name repeats, a value is unreadable or too long, or fields stand in the query as well.
    """
    if request.mimetype != FORM:
        raise UnsupportedMediaType(FORM)
    if request.query_string:
        raise BadInput("invalid_request", "Send parameters in the body; the URL is no place for them.")
    return _single(request.get_data(cache=True))


def query(known: Collection[str] | None = None) -> dict[str, str]:
    """The query parameters; with `known`, any other name is refused.

    Raises:
        BadInput: a name repeats, is unknown, or a value is unreadable or too long.
    """
    found = _single(request.query_string)
    strangers = sorted(found.keys() - set(known)) if known is not None else []
    if strangers:
        raise BadInput("unknown_parameter", f"Unknown query parameter; this address takes: {', '.join(known or ())}.")
    return found


def json_body(*, media_type: str = JSON, required: bool = True) -> dict[str, Any]:
    """The JSON object in the body; empty where nothing was sent and nothing is required.

    Raises:
        UnsupportedMediaType: another content type.
        BadInput: no JSON object, or one that could be read in two ways.
    """
    raw = request.get_data(cache=True)
    if not raw and not required:
        return {}
    if request.mimetype != media_type:
        raise UnsupportedMediaType(media_type)
    try:
        return strict_object(raw)
    except ValueError as error:
        reason = "it is not JSON" if isinstance(error, json.JSONDecodeError | UnicodeDecodeError) else str(error)
        raise BadInput("bad_json", f"The body cannot be taken: {reason}.") from None


def _single(raw: bytes) -> dict[str, str]:
    """One value per name. Read here and strictly: bytes that are no UTF-8 must not turn into other text."""
    try:
        pairs = parse_qsl(raw.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=MAX_FORM_FIELDS)
    except ValueError:
        raise BadInput("invalid_request", "The parameters are too many, or not UTF-8 text.") from None
    found = dict(pairs)
    if len(found) != len(pairs):
        raise BadInput("invalid_request", "A parameter is repeated; send each one once.")
    if any(len(value) > MAX_VALUE or "\0" in value for value in found.values()):
        raise BadInput("invalid_request", "A parameter is too long, or holds what is no text.")
    return {name: value for name, value in found.items() if value}
