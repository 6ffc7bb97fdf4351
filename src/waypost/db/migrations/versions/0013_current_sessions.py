"""A key's current session is found however many logins there were before it."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Additive: the release before writes and reads the table as it did."""
    current = sa.text("superseded_at IS NULL")
    op.create_index(
        "ix_auth_sessions_current", "auth_sessions", ["api_key"], sqlite_where=current, postgresql_where=current
    )
