"""How much of their readers accounts and sends let be known."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0008"
branch_labels = None
depends_on = None

WORD = sa.String(length=24)


def upgrade() -> None:
    """Columns that the release before does not look at: what it sends meanwhile is identified, as it always was."""
    for table in ("accounts", "sends"):
        op.add_column(table, sa.Column("privacy_mode", WORD, nullable=True))
        op.add_column(table, sa.Column("ip_policy", WORD, nullable=True))
