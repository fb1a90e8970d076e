"""A request to give something outside, read and checked before anything is looked at: to whom, what, and who answers.

Whoever is no agent and no affiliate of the settings, and is not named as an authority or an acquirer by somebody who
answers for it, gets nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from connector.flows.gateway import Gateway
from connector.model.errors import BadInput, Forbidden
from connector.model.tags import Action, Category, Purpose, Recipient, Use
from connector.records import NOTE_POINTER, Card, SealedValue
from connector.settings import Agent, Outsider
from providers.capabilities import FIELD_GROUPS

DEFAULT_PURPOSE: Mapping[str, str] = {
    "authority": "protect",
    "acquirer": "transfer",
    "agent": "service",
    "affiliate": "service",
}
_OWN: Mapping[str, tuple[str, ...]] = {**FIELD_GROUPS, "birthday": ("/anniversaries",)}
FIELDS = (*_OWN, "contacts", "notes")
_LONGEST = 500


@dataclass(frozen=True, slots=True)
class Request:
    """What is to be given to whom, and who answers for it.

    Attributes:
        recipient: authority, acquirer, agent or affiliate. name: which one.
        fields: words of `FIELDS`.
        approver, reason, reference: a person by name, why, and the case, contract or transaction it belongs to.
        silent_until: ms; until then the law forbids to tell the person, and `silent_because` says which law.
    """

    recipient: str
    name: str
    fields: tuple[str, ...]
    approver: str = field(repr=False)
    reason: str = field(repr=False)
    reference: str = field(repr=False)
    purpose: str = ""
    silent_until: int | None = None
    silent_because: str = field(default="", repr=False)

    @property
    def use(self) -> Use:
        """The same in the policy's words."""
        purpose = self.purpose or DEFAULT_PURPOSE[self.recipient]
        return Use(Action.SHARE, Recipient(self.recipient), Purpose(purpose))

    @property
    def ground(self) -> dict[str, str]:
        """Who answers for it and why, as it is kept."""
        found = {"approver": self.approver, "reason": self.reason, "reference": self.reference}
        return found | ({"silent_because": self.silent_because} if self.silent_because else {})


def recipient_of(to: str) -> tuple[str, str]:
    """`authority:police` in its parts. Raises BadInput."""
    recipient, colon, name = to.partition(":")
    if recipient not in DEFAULT_PURPOSE or not colon or not name.strip():
        known = ", ".join(f"{one}:NAME" for one in DEFAULT_PURPOSE)
        raise BadInput("unknown_recipient", f"Say to whom, as one of: {known}.")
    return recipient, name.strip()


def checked(gateway: Gateway, request: Request, now: int) -> Request:
    """The request, where somebody answers for it and the recipient may be asked about at all. `now` in ms.

    Raises:
        BadInput: something is missing or unknown. Forbidden: the settings do not name the recipient for this.
    """
    for word, said in (("approver", request.approver), ("reason", request.reason), ("reference", request.reference)):
        if not said.strip() or len(said) > _LONGEST or not said.isprintable():
            raise BadInput(f"no_{word}", f"Name the {word}: nothing is given to anybody without one.")
    unknown = sorted(set(request.fields) - set(FIELDS))
    if unknown or not request.fields:
        raise BadInput("unknown_fields", f"Name fields among: {', '.join(FIELDS)}.")
    if request.silent_until is not None and (not request.silent_because.strip() or request.silent_until <= now):
        raise BadInput("silent_without_law", "Say which law forbids to tell the person, and until which day to come.")
    if request.silent_until is not None and request.recipient != "authority":
        raise BadInput("silent_without_law", "Only what an authority asks for may be kept from the person for a time.")
    if request.purpose and request.purpose not in set(Purpose):
        raise BadInput("unknown_purpose", f"No such purpose; one of: {', '.join(Purpose)}.")
    if request.recipient in {"agent", "affiliate"}:
        _in_settings(gateway, request, now)
    return request


def outsider_of(gateway: Gateway, recipient: str, name: str) -> Outsider | None:
    """The agent or affiliate of that name in the settings."""
    listed: Sequence[Outsider] = gateway.settings.agents if recipient == "agent" else gateway.settings.affiliates
    return next((one for one in listed if one.name == name), None)


def title_of(gateway: Gateway, recipient: str, name: str) -> str:
    """How the recipient is called in words for people."""
    outsider = outsider_of(gateway, recipient, name) if recipient in {"agent", "affiliate"} else None
    return name if outsider is None else outsider.title


def wanted(request: Request, cards: Mapping[str, Card], stored: SealedValue) -> bool:
    """Whether the request names this value. Only current values are asked about; older copies stay where they are."""
    if stored.tags.revision.value != "current":
        return False
    if stored.tags.category is Category.NOTE or stored.pointer == NOTE_POINTER:
        return "notes" in request.fields
    card = cards.get(stored.card_id)
    if card is None or card.kind != "self":
        return "contacts" in request.fields
    heads = {head for word in request.fields for head in _OWN.get(word, ())}
    return f"/{stored.pointer.strip('/').split('/', 1)[0]}" in heads


def _in_settings(gateway: Gateway, request: Request, now: int) -> None:
    found = outsider_of(gateway, request.recipient, request.name)
    today = datetime.fromtimestamp(now / 1000, UTC).date()
    if found is None or not found.on(today):
        raise Forbidden(
            "unknown_outsider", f"[[{request.recipient}s]] names no {request.name} for today; see settings."
        )
    purposes = getattr(found, "purposes", ())
    beyond = sorted(set(request.fields) - set(found.fields))
    if request.use.purpose.value not in purposes or beyond:
        what = f"the fields {', '.join(beyond)}" if beyond else f"the purpose {request.use.purpose.value}"
        raise Forbidden("beyond_settings", f"[[{request.recipient}s]] gives {request.name} nothing for {what}.")


def bound_by(gateway: Gateway, request: Request) -> str:
    """The contract that binds an agent to its task; empty for others."""
    found = outsider_of(gateway, request.recipient, request.name) if request.recipient == "agent" else None
    return found.contract if isinstance(found, Agent) else ""
