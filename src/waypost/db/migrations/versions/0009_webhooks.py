"""Webhooks: where accounts are told of events, what is to be told, and what came of it."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TIME = sa.DateTime(timezone=True)
JSON = sa.JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")
WORD = sa.String(length=24)


def upgrade() -> None:
    """Three tables that the release before does not look at. What happens while it runs is not told."""
    op.create_table(
        "webhook_endpoints",
        sa.Column("number", NUMBER, nullable=False),
        sa.Column("public_id", sa.Uuid(), nullable=False),
        sa.Column("account", NUMBER, nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("sealed_credentials", sa.LargeBinary(), nullable=True),
        sa.Column("description", sa.String(length=256), nullable=False),
        sa.Column("events", JSON, nullable=False),
        sa.Column("format", WORD, nullable=False),
        sa.Column("timing", WORD, nullable=False),
        sa.Column("sealed_secret", sa.LargeBinary(), nullable=False),
        sa.Column("sealed_previous_secret", sa.LargeBinary(), nullable=True),
        sa.Column("previous_secret_until", TIME, nullable=True),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("modified_at", TIME, nullable=False),
        sa.Column("state", WORD, nullable=False),
        sa.Column("disabled_reason", sa.Text(), nullable=True),
        sa.Column("disabled_at", TIME, nullable=True),
        sa.Column("failing_since", TIME, nullable=True),
        sa.Column("succeeded_at", TIME, nullable=True),
        sa.ForeignKeyConstraint(["account"], ["accounts.number"], name="fk_webhook_endpoints_account"),
        sa.PrimaryKeyConstraint("number", name="pk_webhook_endpoints"),
        sa.UniqueConstraint("public_id", name="uq_webhook_endpoints_public_id"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_webhook_endpoints_account", "webhook_endpoints", ["account"], unique=False)
    op.create_table(
        "webhook_notices",
        sa.Column("number", NUMBER, nullable=False),
        sa.Column("endpoint", NUMBER, nullable=False),
        sa.Column("message_id", sa.Uuid(), nullable=False),
        sa.Column("type", WORD, nullable=False),
        sa.Column("event_id", sa.Uuid(), nullable=False),
        sa.Column("send_id", sa.Uuid(), nullable=True),
        sa.Column("occurred_at", TIME, nullable=False),
        sa.Column("change", JSON, nullable=True),
        sa.Column("state", WORD, nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("awaits_verdict", sa.Boolean(), nullable=False),
        sa.Column("next_attempt_at", TIME, nullable=False),
        sa.Column("claimed_until", TIME, nullable=True),
        sa.Column("created_at", TIME, nullable=False),
        sa.ForeignKeyConstraint(
            ["endpoint"], ["webhook_endpoints.number"], name="fk_webhook_notices_endpoint", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("number", name="pk_webhook_notices"),
        sqlite_autoincrement=True,
    )
    pending = sa.text("state = 'pending'")
    op.create_index(
        "uq_webhook_notices_endpoint_message_id", "webhook_notices", ["endpoint", "message_id"], unique=True
    )
    op.create_index(
        "ix_webhook_notices_due",
        "webhook_notices",
        ["endpoint", "next_attempt_at"],
        unique=False,
        sqlite_where=pending,
        postgresql_where=pending,
    )
    op.create_index("ix_webhook_notices_occurred_at", "webhook_notices", ["occurred_at"], unique=False)
    op.create_index("ix_webhook_notices_event_id", "webhook_notices", ["event_id"], unique=False)
    op.create_table(
        "webhook_attempts",
        sa.Column("number", NUMBER, nullable=False),
        sa.Column("notice", NUMBER, nullable=False),
        sa.Column("started_at", TIME, nullable=False),
        sa.Column("duration_ms", sa.Integer(), nullable=False),
        sa.Column("outcome", WORD, nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["notice"], ["webhook_notices.number"], name="fk_webhook_attempts_notice", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("number", name="pk_webhook_attempts"),
    )
    op.create_index("ix_webhook_attempts_notice", "webhook_attempts", ["notice"], unique=False)
