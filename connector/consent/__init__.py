"""What a person chose, in which words, and when: one consent per connection, direction and field group.

Owns `consents` and `consent_events`. A record has the shape of ISO/IEC TS 27560 and is sealed under the person's key;
events are appended, never edited; the choice that decisions read is under a row seal, and a broken seal counts as no
choice. Nobody else writes these rows.
"""

from connector.consent.choices import (
    Consent,
    Direction,
    Given,
    forget_person,
    give,
    invalidate,
    new_consent_id,
    refuse,
    withdraw,
)
from connector.consent.jsonld import as_jsonld
from connector.consent.reading import find, given_before, of_connection, of_user, record_of, standing
from connector.consent.record import Notice, Party, Process, fingerprint, new_record

__all__ = [
    "Consent",
    "Direction",
    "Given",
    "Notice",
    "Party",
    "Process",
    "as_jsonld",
    "find",
    "fingerprint",
    "forget_person",
    "give",
    "given_before",
    "invalidate",
    "new_consent_id",
    "new_record",
    "of_connection",
    "of_user",
    "record_of",
    "refuse",
    "standing",
    "withdraw",
]
