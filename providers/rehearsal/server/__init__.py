"""The pretend provider "Rehearsal": everything that a provider can do, failing included.

Owns its own people, grants and faults, all in memory; nothing here is used by the adapter, which knows it only over
HTTP. For development, demonstrations and tests: it signs in whoever is picked on its page and asks no password.
"""

from providers.rehearsal.server.app import create_app
from providers.rehearsal.server.config import Client, Config
from providers.rehearsal.server.run import Server, run, start

__all__ = ["Client", "Config", "Server", "create_app", "run", "start"]
