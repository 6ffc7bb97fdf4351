"""How long accounts keep events and what tells of readers, and what went because of it."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)
NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
JSON = sa.JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")


def upgrade() -> None:
    """Columns and a table that the release before does not look at, and an index by which erasure finds notices."""
    for column in ("event_days", "address_days", "user_agent_days"):
        op.add_column("accounts", sa.Column(column, sa.Integer(), nullable=True))
    op.create_table(
        "retention_runs",
        sa.Column("number", NUMBER, nullable=False),
        sa.Column("started_at", TIME, nullable=False),
        sa.Column("finished_at", TIME, nullable=True),
        sa.Column("counts", JSON, nullable=False),
        sa.Column("problem", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_retention_runs"),
        sqlite_autoincrement=True,
    )
    op.add_column("erasures", sa.Column("quarantined_segments", sa.Integer(), nullable=True))
    op.create_index("ix_webhook_notices_send_id", "webhook_notices", ["send_id"], unique=False)
