"""Alembic's entry point: runs on the connection that `upgrade` hands in.

For whoever writes the next migration: batch mode on SQLite makes a table anew, and its triggers and its indexes over
expressions are gone (of the indexes Alembic warns). Those of `connector/storage/guards.py` come back by themselves,
because `upgrade` installs them after the last migration; any other must be made again by hand.
"""

from alembic import context

from connector.storage.schema import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata, render_as_batch=True)
with context.begin_transaction():
    context.run_migrations()
