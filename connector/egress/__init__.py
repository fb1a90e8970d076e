"""The outbound door: every request to a provider and every webhook leaves through here.

Owns `requests`, `urllib3` and outbound sockets; no other package opens one toward a provider. Which addresses may be
reached, how long and how much may be read, and when to stop asking is decided here and nowhere else. Knows nothing of
connections, people or tokens.
"""

from connector.egress.client import Egress, Observer
from connector.egress.rules import Rules
from connector.egress.skew import WORTH_TELLING_S, note_skew, skew_s

__all__ = ["WORTH_TELLING_S", "Egress", "Observer", "Rules", "note_skew", "skew_s"]
