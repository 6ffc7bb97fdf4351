"""The keys that sign messages, and what else messages are made of: attachments, header fields, ways to unsubscribe."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
JSON = sa.JSON().with_variant(JSONB(), "postgresql")


def upgrade() -> None:
    """Two tables, and columns that the release before does not look at and leaves empty."""
    op.create_table(
        "dkim_keys",
        sa.Column("number", NUMBER, nullable=False),
        sa.Column("profile", NUMBER, nullable=False),
        sa.Column("algorithm", sa.String(length=24), nullable=False),
        sa.Column("selector", sa.String(length=27), nullable=False),
        sa.Column("sealed_private_key", sa.LargeBinary(), nullable=False),
        sa.Column("public_key", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["profile"], ["profiles.number"], name="fk_dkim_keys_profile"),
        sa.PrimaryKeyConstraint("number", name="pk_dkim_keys"),
        sa.UniqueConstraint("selector", name="uq_dkim_keys_selector"),
    )
    op.create_index("ix_dkim_keys_profile", "dkim_keys", ["profile"], unique=False)
    op.create_table(
        "content_attachments",
        sa.Column("content_id", NUMBER, nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("content_type", sa.Text(), nullable=False),
        sa.Column("inline_id", sa.Text(), nullable=True),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["content_id"], ["contents.content_id"], name="fk_content_attachments_content_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("content_id", "position", name="pk_content_attachments"),
    )
    op.add_column("contents", sa.Column("headers", JSON, nullable=True))
    op.add_column("sends", sa.Column("list_unsubscribe", JSON, nullable=True))
