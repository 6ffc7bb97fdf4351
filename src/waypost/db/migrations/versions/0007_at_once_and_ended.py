"""One block at a time of a thing; which DKIM records were seen; who a message's header names; passwords."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

JSON = sa.JSON().with_variant(JSONB(), "postgresql")
TIME = sa.DateTime(timezone=True)
IN_FORCE = sa.text("removed_at IS NULL")
IS_PASSWORD = sa.text("is_password")


def upgrade() -> None:
    """Indexes, and columns that the release before does not look at."""
    # Two blocks of one thing, made at once by a release that let both through: the first one holds.
    op.execute(
        "UPDATE blocks SET removed_at = created_at, removed_by = 'upgrade' WHERE removed_at IS NULL AND EXISTS ("
        "SELECT 1 FROM blocks AS first WHERE first.kind = blocks.kind AND first.target = blocks.target "
        "AND first.removed_at IS NULL AND first.number < blocks.number)"
    )
    op.create_index(
        "ix_blocks_kind_target",
        "blocks",
        ["kind", "target"],
        unique=True,
        sqlite_where=IN_FORCE,
        postgresql_where=IN_FORCE,
    )
    op.add_column("dkim_keys", sa.Column("seen_at", TIME, nullable=True))
    op.add_column("contents", sa.Column("addressees", JSON, nullable=True))
    op.add_column("api_keys", sa.Column("is_password", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.create_index(
        "ix_api_keys_password_account",
        "api_keys",
        ["account"],
        unique=True,
        sqlite_where=IS_PASSWORD,
        postgresql_where=IS_PASSWORD,
    )
