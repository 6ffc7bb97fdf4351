"""How long an account's content is kept, and whose a content is."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Two columns that the release before does not look at; whose its contents are, housekeeping finds out."""
    op.add_column("accounts", sa.Column("content_days", sa.Integer(), nullable=True))
    op.add_column("contents", sa.Column("account", NUMBER, nullable=True))
    op.create_index("ix_contents_account_created_at", "contents", ["account", "created_at"], unique=False)
    op.drop_index("ix_contents_created_at", "contents")
