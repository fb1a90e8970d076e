"""Which versions of the policy were in force here, in which exact bytes, and what was announced of them.

Owns `policy_versions` and `policy_announcements`. It knows names, hashes and times, and not what a version says:
that is the policy's. Each row names the ledger entry that pins it. Nobody else writes these rows.
"""

from connector.publications.announcements import Announced, announce, announced
from connector.publications.versions import InForce, consents_checked, in_force, record

__all__ = ["Announced", "InForce", "announce", "announced", "consents_checked", "in_force", "record"]
