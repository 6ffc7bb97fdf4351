"""When owners were told that a webhook endpoint of theirs was disabled."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """A column that the release before does not look at."""
    op.add_column("webhook_endpoints", sa.Column("owner_told_at", sa.DateTime(timezone=True), nullable=True))
