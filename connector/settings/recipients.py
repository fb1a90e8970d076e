"""Who outside may get something of people, by setting: agents that work for us, and affiliates. Nobody else is one."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from connector.settings.sections import Section, Words
from providers.capabilities import FIELD_GROUPS


def _group(word: str) -> str:
    if word not in FIELD_GROUPS:
        raise ValueError(f"write field groups: {', '.join(FIELD_GROUPS)}")
    return word


class Outsider(Section):
    """Somebody outside who may get named fields for named purposes, from a day on."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,63}$")] = Field(description="A short word for them.")
    title: Words = Field(description="What people call them.")
    fields: Annotated[tuple[Annotated[str, AfterValidator(_group)], ...], Field(min_length=1)] = Field(
        description="The field groups that they may get, and no others."
    )
    contact: Words = Field(description="An e-mail address that answers for personal data there.")
    since: date = Field(description="The first day.")
    until: date | None = Field(default=None, description="The last day; absent: no end yet.")

    @model_validator(mode="after")
    def _in_order(self) -> Outsider:
        if self.until is not None and self.until < self.since:
            raise ValueError("its last day comes before its first")
        return self

    def on(self, day: date) -> bool:
        """Whether they may get anything on that day."""
        return self.since <= day and (self.until is None or day <= self.until)


class Agent(Outsider):
    """A company or person that works for us (clause 3b)."""

    purposes: Annotated[tuple[Literal["account", "service", "contact"], ...], Field(min_length=1)] = Field(
        description="What they work on."
    )
    contract: Words = Field(description="The contract that binds them to that work alone.")


class Affiliate(Outsider):
    """A business we are affiliated with (clause 3a), or that takes part with notice (clause 3e)."""

    purposes: Annotated[tuple[Literal["service", "personalise"], ...], Field(min_length=1)] = Field(
        description="service: a transaction that the person chose; personalise: only after notice and time to object."
    )
