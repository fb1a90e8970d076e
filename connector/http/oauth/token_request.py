"""What a grant function gets and gives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from connector.clients import Client
from connector.flows.gateway import Gateway
from connector.http.oauth.errors import OAuthError

TokenAnswer: TypeAlias = Mapping[str, Any]  # the JSON members of a token answer (RFC 6749 section 5.1)


@dataclass(frozen=True, slots=True)
class TokenRequest:
    """A request at the token endpoint, its client proven. `fields` are the form's, credentials included."""

    gateway: Gateway
    client: Client
    fields: Mapping[str, str] = field(repr=False)

    def required(self, name: str) -> str:
        """The field, or OAuthError(invalid_request) that names it."""
        value = self.fields.get(name)
        if value is None:
            raise OAuthError("invalid_request", f"The parameter {name} is missing.", code="missing_parameter")
        return value

    def scopes(self) -> tuple[str, ...] | None:
        """The scopes asked for, without repeats; None where the parameter is absent."""
        written = self.fields.get("scope")
        return None if written is None else tuple(dict.fromkeys(written.split(" ")))
