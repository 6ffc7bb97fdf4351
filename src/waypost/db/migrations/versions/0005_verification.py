"""When profiles are checked and what was seen, and which claims of link domains are proven."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    """One table, and a column that the release before does not look at."""
    op.create_table(
        "profile_checks",
        sa.Column("profile", NUMBER, nullable=False),
        sa.Column("watched_from", TIME, nullable=False),
        sa.Column("next_check_at", TIME, nullable=False),
        sa.Column("claimed_until", TIME, nullable=True),
        sa.Column("checked_at", TIME, nullable=True),
        sa.Column("lost_at", TIME, nullable=True),
        sa.Column("findings", sa.JSON().with_variant(JSONB(), "postgresql"), nullable=False),
        sa.ForeignKeyConstraint(["profile"], ["profiles.number"], name="fk_profile_checks_profile"),
        sa.PrimaryKeyConstraint("profile", name="pk_profile_checks"),
    )
    op.create_index("ix_profile_checks_next_check_at", "profile_checks", ["next_check_at"], unique=False)
    op.add_column("link_domains", sa.Column("proven_at", TIME, nullable=True))
    # Published by an operator's command so far: her word that it is the account's.
    op.execute("UPDATE link_domains SET proven_at = published_at WHERE published_at IS NOT NULL")
