"""A provider made from its catalogue entry alone: as strict as the entry says, in this process, without a socket.

It is written against the entry and the standards, and shares no code with the adapter that it tries.
"""

from tests.standins.by_entry.provider import CLIENT_ID, CLIENT_SECRET, REDIRECT_URI, Provider
from tests.standins.by_entry.refusing import Refused

__all__ = ["CLIENT_ID", "CLIENT_SECRET", "REDIRECT_URI", "Provider", "Refused"]
