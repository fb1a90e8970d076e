"""No more mail: by one click from a letter, without signing in, or on the person's own pages.

The link names the thing that the letter was a copy of, and carries a keyed hash of it: whoever has the letter has the
link, and nobody can make one. Looking at it changes nothing, so that a scanner opts nobody out.
"""

from __future__ import annotations

import hmac

from connector import inbox, people
from connector.flows.gateway import Gateway
from connector.flows.stances import take_in
from connector.inbox import Item, Toward
from connector.inbox.seals import tenant_key
from connector.model.errors import NotFound
from connector.model.tags import Account
from connector.storage import Transaction

_LENGTH = 32


def opt_out_link(gateway: Gateway, tx: Transaction, item: Item) -> str:
    """Where one click ends all mail to its person."""
    return f"{gateway.settings.server.public_url}/mail/{item.id}/{_proof(gateway, tx, item)}"


def check_link(gateway: Gateway, item_id: str, proof: str) -> None:
    """Raises NotFound for a link that is none of ours, or whose person is gone."""
    with gateway.store.read() as tx:
        _whose(gateway, tx, item_id, proof)


def opt_out(gateway: Gateway, item_id: str, proof: str) -> None:
    """From now on no mail goes to the person. Raises NotFound as `check_link`."""
    with gateway.store.transaction() as tx:
        item = _whose(gateway, tx, item_id, proof)
        take_in(gateway, tx, item.tenant_id, item.sub, Toward.MAIL, "", "no", by="subject")


def _whose(gateway: Gateway, tx: Transaction, item_id: str, proof: str) -> Item:
    item = inbox.find_item(tx, gateway.vault, item_id)
    if item is None or not hmac.compare_digest(_proof(gateway, tx, item).encode(), proof.encode()):
        raise NotFound("letter", code="unknown_link")
    user = people.find_user(tx, gateway.vault, item.tenant_id, item.sub)
    if user is None or user.account is not Account.OPEN:
        raise NotFound("letter", code="unknown_link")
    return item


def _proof(gateway: Gateway, tx: Transaction, item: Item) -> str:
    key = tenant_key(tx, gateway.vault, item.tenant_id)
    return key.mac("mail.opt_out", item.id.encode(), item.sub.encode()).hex()[:_LENGTH]
