"""What happened, in a form that shows if it was changed afterwards.

Owns the tables `ledger_entries`, `ledger_nodes`, `ledger_checkpoints`, `ledger_intents` and `receipts`; nobody else
reads or writes them.
Entries are added in the transaction of the effect that they tell of, get their place in the Merkle tree later in
batches, and hold no personal data: a person is a random pseudonym, a value a salted commitment. Keys are handed in as
bytes; where they are kept is not this room's concern.
"""

from connector.ledger.audit import Problem, Report, verify
from connector.ledger.checkpoints import checkpoint, latest_checkpoint
from connector.ledger.counting import people_who
from connector.ledger.entries import Entry, Recorded, append, append_all, get, show
from connector.ledger.group import GroupCommit, NoLongerTrue, NotRecorded
from connector.ledger.intents import OUTCOME_OF, Intent, open_intents, take
from connector.ledger.kinds import KINDS, Kind, word_or
from connector.ledger.receipt import Draft, Verdict, build, draft, public_keys_from_jwks, verify_file
from connector.ledger.receipts import Kept, forget_person, keep, newest, of_person, versions
from connector.ledger.signer import Signer
from connector.ledger.tiles import tiles
from connector.ledger.tree import Inclusion, LedgerBroken, prove_consistency, prove_inclusion, sequence, size

__all__ = [
    "KINDS",
    "OUTCOME_OF",
    "Draft",
    "Entry",
    "GroupCommit",
    "Inclusion",
    "Intent",
    "Kept",
    "Kind",
    "LedgerBroken",
    "NoLongerTrue",
    "NotRecorded",
    "Problem",
    "Recorded",
    "Report",
    "Signer",
    "Verdict",
    "append",
    "append_all",
    "build",
    "checkpoint",
    "draft",
    "forget_person",
    "get",
    "keep",
    "latest_checkpoint",
    "newest",
    "of_person",
    "open_intents",
    "people_who",
    "prove_consistency",
    "prove_inclusion",
    "public_keys_from_jwks",
    "sequence",
    "show",
    "size",
    "take",
    "tiles",
    "verify",
    "verify_file",
    "versions",
    "word_or",
]
