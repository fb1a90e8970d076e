"""${message}

Revision: ${up_revision}
After: ${down_revision | comma,n}
"""

import sqlalchemy as sa
from alembic import op

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = None
depends_on = None


# Batch mode makes a table anew on SQLite and loses its triggers: see connector/storage/migrations/env.py.
def upgrade() -> None:
    ${upgrades if upgrades else "pass"}
