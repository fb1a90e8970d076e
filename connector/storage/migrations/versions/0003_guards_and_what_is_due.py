"""Guards of a connection's moves, and one index over all that is due

Revision: 0003
After: 0002
"""

from alembic import op

from connector.storage import guards

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    guards.install(op.get_bind())  # Alembic sees neither triggers nor, on SQLite, indexes over expressions
