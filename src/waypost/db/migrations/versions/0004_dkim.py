"""The keys that sign messages."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """One table."""
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
