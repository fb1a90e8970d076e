"""What the person typed goes to the accounts they chose: once in effect, and only what is allowed when it is sent.

    claim → fresh grant → policy, consent, connection now → current values → intent in the ledger, sent_at →
    read, merge, write under the provider's precondition → outcome in the ledger

A delivery whose worker died after `sent_at` is repeated only where a repeat finds out what happened; else its outcome
is unknown, and is shown so.
"""

from connector.flows.push_update.sending import step

__all__ = ["step"]
