"""A person says yes or no toward somebody: written down, entered in the ledger, counted from the next decision on."""

from __future__ import annotations

from connector import inbox, people
from connector.flows.gateway import Gateway
from connector.inbox import Stance, Toward
from connector.inbox.stances import Said
from connector.ledger import Entry, append
from connector.ledger import Kind as EntryKind
from connector.model.errors import BadInput, NotFound
from connector.model.tags import Account
from connector.model.tags import Notice as Standing
from connector.people import PortalSession
from connector.storage import Transaction

# Which notice an objection answers, and toward whom it then stands.
ANSWERS = {"sharing": Toward.AFFILIATE, "transfer": Toward.TRANSFER}


def take_in(  # noqa: PLR0917  whose, toward whom, what
    gateway: Gateway, tx: Transaction, tenant_id: str, sub: str, toward: Toward, name: str, said: Said, *, by: str
) -> bool:
    """Write it down with its ledger entry; whether anything changed. Raises NotFound for nobody."""
    user = people.find_user(tx, gateway.vault, tenant_id, sub, for_update=True)
    if user is None or user.account is not Account.OPEN:
        raise NotFound("user", code="unknown_user")
    if inbox.take(tx, gateway.vault, tenant_id, sub, toward, name, said, by=by) is None:
        return False
    people.note_stances(tx, gateway.vault, user, inbox.count_stances(tx, gateway.vault, tenant_id, sub))
    facts = {"toward": toward.value, "stance": said, "by": by}
    append(tx, Entry(EntryKind.STANCE, tenant_id, user.pseudonym, facts))
    return True


def object_to(gateway: Gateway, tenant_id: str, item_id: str, *, sub: str | None, by: str) -> inbox.Item:
    """A no to what a notice announces. It counts from the next decision on, also after the window is over.

    Raises:
        NotFound: no such notice (of this person, where `sub` is given). BadInput: one that announces no sharing.
    """
    with gateway.store.transaction() as tx:
        item = _seen(gateway, tx, tenant_id, item_id, sub)
        toward = _answers(item)
        take_in(gateway, tx, tenant_id, item.sub, toward, item.topic, "no", by=by)
        return item


def take_back(gateway: Gateway, session: PortalSession, item_id: str) -> None:
    """The person themselves takes their objection back; nobody else can."""
    with gateway.store.transaction() as tx:
        item = _seen(gateway, tx, session.tenant_id, item_id, session.sub)
        take_in(gateway, tx, session.tenant_id, item.sub, _answers(item), item.topic, "none", by="subject")


def say(gateway: Gateway, session: PortalSession, toward: str, name: str, said: str) -> None:
    """The person says yes, no or nothing toward somebody, on their own pages.

    Raises:
        BadInput: nobody of that name gets anything here, or a yes where only a no has a meaning.
    """
    known = {("mail", ""), ("affiliate", "")}
    known |= {("agent", one.name) for one in gateway.settings.agents}
    known |= {("affiliate", one.name) for one in gateway.settings.affiliates}
    if (toward, name) not in known or said not in {"no", "yes", "none"} or (said == "yes" and not _may_say_yes(toward)):
        raise BadInput("unknown_stance", "Nobody of that name gets anything here. Reload the page and try again.")
    with gateway.store.transaction() as tx:
        chosen: Said = "no" if said == "no" else "yes" if said == "yes" else "none"
        take_in(gateway, tx, session.tenant_id, session.sub, Toward(toward), name, chosen, by="subject")


def record_gpc(gateway: Gateway, tx: Transaction, tenant_id: str, sub: str) -> bool:
    """The browser says Global Privacy Control: a no toward every affiliate, unless the person said otherwise here."""
    return take_in(gateway, tx, tenant_id, sub, Toward.AFFILIATE, "", "no", by="gpc")


def said_toward(  # noqa: PLR0917  whose, and toward whom
    gateway: Gateway, tx: Transaction, tenant_id: str, sub: str, toward: Toward, name: str = ""
) -> Said:
    """What counts toward somebody, for decisions.

    The person's own row says how many stances they have. Where fewer carry their seals, one was deleted, and it may
    have been the no that is asked about: so it is a no.
    """
    user = people.find_user(tx, gateway.vault, tenant_id, sub)
    if user is None or inbox.count_stances(tx, gateway.vault, tenant_id, sub) < user.stances:
        return "no"
    return inbox.stance_of(tx, gateway.vault, tenant_id, sub, toward, name)


def notice_toward(  # noqa: PLR0917  whose, and toward whom
    gateway: Gateway, tx: Transaction, tenant_id: str, sub: str, recipient: str, name: str
) -> Standing:
    """How notice and objection stand for a recipient outside, as decisions know it. An objection outweighs all."""
    toward = {"affiliate": Toward.AFFILIATE, "agent": Toward.AGENT, "acquirer": Toward.TRANSFER}.get(recipient)
    if toward is None:
        return Standing.NONE
    if said_toward(gateway, tx, tenant_id, sub, toward, name) == "no":
        return Standing.OBJECTED
    kind = {"affiliate": "sharing", "acquirer": "transfer"}.get(recipient)
    if kind is None:
        return Standing.NONE
    return inbox.standing_notice(tx, gateway.vault, tenant_id, sub, kind, name)


def objection_to(stances: list[Stance], item: inbox.Item) -> Stance | None:
    """The standing no that bears on what a notice announces."""
    toward = ANSWERS.get(item.kind)
    for one in stances:
        if toward is not None and one.toward == toward and one.name in {"", item.topic} and one.stance == "no":
            return one
    return None


def _may_say_yes(toward: str) -> bool:
    return toward == Toward.AFFILIATE


def _answers(item: inbox.Item) -> Toward:
    toward = ANSWERS.get(item.kind)
    if toward is None:
        raise BadInput("nothing_to_object", "This notice announces no sharing, so there is nothing to object to.")
    return toward


def _seen(gateway: Gateway, tx: Transaction, tenant_id: str, item_id: str, sub: str | None) -> inbox.Item:
    item = inbox.find_item(tx, gateway.vault, item_id)
    hidden = item is None or item.tenant_id != tenant_id or item.shown_from > tx.now()
    if item is None or hidden or sub not in {None, item.sub}:
        raise NotFound("notice", code="unknown_notice")
    return item
