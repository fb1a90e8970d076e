"""What third parties speak.

Owns the facts about providers (`catalogue/`), the values exchanged with them, and one adapter per quirk. Adapters do no
I/O: they yield a `Request` and receive its `Response`; whoever drives them owns the network. Knows nothing of the
gateway's users, database or vault, and imports neither `connector` nor `vault`.
"""
