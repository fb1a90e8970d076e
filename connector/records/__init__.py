"""Profiles and contacts: cards, and one sealed value for each atomic piece of one, with its tags and origin.

Owns `cards`, `records`, `changes`, `imports`, `import_cursors` and `deliveries`. A value is opened in `values` and
nowhere else, under the tags and the origin it was sealed with, at the place of its person and card. Nobody else writes
these rows; whether a value may be used is decided elsewhere, each time.
"""

from connector.records.cards import Card, find_card, given_card, lock_person
from connector.records.changes import (
    Change,
    Feed,
    changes_of_person,
    feed,
    note_changes,
    prune_changes,
    sequence_changes,
)
from connector.records.changes import waiting as changes_wait
from connector.records.composing import Piece, compose
from connector.records.cursors import clear_cursors, keep_cursor, open_cursor
from connector.records.deliveries import (
    Delivery,
    claim_delivery,
    deliveries_of_user,
    delivery,
    groups_sent,
    mark_sent,
    note_late_outcome,
    queue_delivery,
    void_deliveries,
    written_before,
)
from connector.records.edits import edit_given, put_note, remove_contact, remove_note
from connector.records.given import Edit, merged
from connector.records.imports import Import, find_import, imports_of, note_progress, open_import, queue_import
from connector.records.jscontact import category_of, check_value, wrong_with
from connector.records.notes import NOTE_POINTER
from connector.records.reading import all_of, given_values, of_cards, of_person
from connector.records.retention import drop_expired, drop_unrevised, keep_until, keeping_due
from connector.records.storing import IncomingCard, Into, Tally, store_cards, tombstone_unseen
from connector.records.values import NewValue, Origin, SealedValue, open_value

__all__ = [
    "NOTE_POINTER",
    "Card",
    "Change",
    "Delivery",
    "Edit",
    "Feed",
    "Import",
    "IncomingCard",
    "Into",
    "NewValue",
    "Origin",
    "Piece",
    "SealedValue",
    "Tally",
    "all_of",
    "category_of",
    "changes_of_person",
    "changes_wait",
    "check_value",
    "claim_delivery",
    "clear_cursors",
    "compose",
    "deliveries_of_user",
    "delivery",
    "drop_expired",
    "drop_unrevised",
    "edit_given",
    "feed",
    "find_card",
    "find_import",
    "given_card",
    "given_values",
    "groups_sent",
    "imports_of",
    "keep_cursor",
    "keep_until",
    "keeping_due",
    "lock_person",
    "mark_sent",
    "merged",
    "note_changes",
    "note_late_outcome",
    "note_progress",
    "of_cards",
    "of_person",
    "open_cursor",
    "open_import",
    "open_value",
    "prune_changes",
    "put_note",
    "queue_delivery",
    "queue_import",
    "remove_contact",
    "remove_note",
    "sequence_changes",
    "store_cards",
    "tombstone_unseen",
    "void_deliveries",
    "written_before",
    "wrong_with",
]
