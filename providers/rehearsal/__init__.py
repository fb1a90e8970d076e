"""Rehearsal: the pretend provider's adapter, and (in `server`) the provider itself.

Owns how Rehearsal is spoken. The adapter and the server share no code and no memory: they meet over HTTP alone, as with
any provider. Others import `ADAPTER` by way of the catalogue, and `server` only for development and tests.
"""
