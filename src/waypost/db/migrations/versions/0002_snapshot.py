"""Blocks, and which link domains edges are told of."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Two tables, and a column that the release before does not look at."""
    op.create_table(
        "blocks",
        sa.Column("number", NUMBER, nullable=False),
        sa.Column("public_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(length=24), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("account", NUMBER, nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("created_by", sa.String(length=320), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("removed_by", sa.String(length=320), nullable=True),
        sa.Column("removed_at", TIME, nullable=True),
        sa.ForeignKeyConstraint(["account"], ["accounts.number"], name="fk_blocks_account"),
        sa.PrimaryKeyConstraint("number", name="pk_blocks"),
        sa.UniqueConstraint("public_id", name="uq_blocks_public_id"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_blocks_account", "blocks", ["account"], unique=False)
    op.create_table(
        "snapshot_versions",
        sa.Column("number", NUMBER, nullable=False),
        sa.Column("version", NUMBER, nullable=False),
        sa.Column("changed_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_snapshot_versions"),
    )
    op.add_column("link_domains", sa.Column("published_at", TIME, nullable=True))
