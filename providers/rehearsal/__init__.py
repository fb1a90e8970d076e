"""Rehearsal: the pretend provider's adapter, and (in `server`) the provider itself.

Owns how Rehearsal is spoken. The adapter and the server share no code and no memory: they meet over HTTP alone, as with
any provider. Others use `Rehearsal`, and `server` only for development and tests.
"""

from providers.rehearsal.adapter import Rehearsal

__all__ = ["Rehearsal"]
