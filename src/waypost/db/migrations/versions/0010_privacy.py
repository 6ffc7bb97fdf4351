"""How much of their readers accounts and sends let be known, and the erasure of readers."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

WORD = sa.String(length=24)
TIME = sa.DateTime(timezone=True)
NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
JSON = sa.JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")


def upgrade() -> None:
    """Columns that the release before does not look at: what it sends meanwhile is identified, as it always was."""
    for table in ("accounts", "sends"):
        op.add_column(table, sa.Column("privacy_mode", WORD, nullable=True))
        op.add_column(table, sa.Column("ip_policy", WORD, nullable=True))
    op.create_table(
        "erasures",
        sa.Column("number", NUMBER, nullable=False),
        sa.Column("public_id", sa.Uuid(), nullable=False),
        sa.Column("account", NUMBER, nullable=True),
        sa.Column("sealed_address", sa.LargeBinary(), nullable=True),
        sa.Column("state", WORD, nullable=False),
        sa.Column("requested_by", sa.String(length=320), nullable=False),
        sa.Column("requested_at", TIME, nullable=False),
        sa.Column("erased_at", TIME, nullable=True),
        sa.Column("purged_at", TIME, nullable=True),
        sa.Column("counts", JSON, nullable=False),
        sa.ForeignKeyConstraint(["account"], ["accounts.number"], name="fk_erasures_account"),
        sa.PrimaryKeyConstraint("number", name="pk_erasures"),
        sa.UniqueConstraint("public_id", name="uq_erasures_public_id"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_erasures_account", "erasures", ["account"], unique=False)
    op.create_table(
        "tombstones",
        sa.Column("number", NUMBER, nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_tombstones"),
        sa.UniqueConstraint("digest", name="uq_tombstones_digest"),
        sqlite_autoincrement=True,
    )
