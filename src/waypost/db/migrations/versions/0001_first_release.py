"""Accounts, keys, profiles, sends, the delivery queue and the outbox."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# Plain types, spelled out: what a migration makes must not change when a class elsewhere does.
NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TIME = sa.DateTime(timezone=True)
STATE = sa.String(24)
JSON = sa.JSON().with_variant(JSONB(), "postgresql")


def upgrade() -> None:
    """Every table of the first release."""
    op.create_table(
        "accounts",
        sa.Column("number", NUMBER, nullable=False),
        sa.Column("public_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=256), nullable=False),
        sa.Column("email", sa.String(length=320), nullable=False),
        sa.Column("is_operator", sa.Boolean(), nullable=False),
        sa.Column("state", STATE, nullable=False),
        sa.Column("rejected_reason", sa.Text(), nullable=True),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("modified_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_accounts"),
        sa.UniqueConstraint("email", name="uq_accounts_email"),
        sa.UniqueConstraint("public_id", name="uq_accounts_public_id"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "contents",
        sa.Column("content_id", NUMBER, nullable=False),
        sa.Column("html", sa.LargeBinary(), nullable=True),
        sa.Column("text", sa.LargeBinary(), nullable=True),
        sa.Column("created_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("content_id", name="pk_contents"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_contents_created_at", "contents", ["created_at"], unique=False)
    op.create_table(
        "outbox",
        sa.Column("outbox_id", NUMBER, nullable=False),
        sa.Column("topic", STATE, nullable=False),
        sa.Column("payload", JSON, nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("outbox_id", name="pk_outbox"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "signing_keys",
        sa.Column("key_id", sa.String(length=32), nullable=False),
        sa.Column("sealed_secret", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("retired_at", TIME, nullable=True),
        sa.PrimaryKeyConstraint("key_id", name="pk_signing_keys"),
    )
    op.create_table(
        "account_decisions",
        sa.Column("number", NUMBER, nullable=False),
        sa.Column("account", NUMBER, nullable=False),
        sa.Column("state", STATE, nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("decided_by", sa.String(length=320), nullable=False),
        sa.Column("decided_at", TIME, nullable=False),
        sa.ForeignKeyConstraint(["account"], ["accounts.number"], name="fk_account_decisions_account"),
        sa.PrimaryKeyConstraint("number", name="pk_account_decisions"),
    )
    op.create_index("ix_account_decisions_account", "account_decisions", ["account"], unique=False)
    op.create_table(
        "api_keys",
        sa.Column("number", NUMBER, nullable=False),
        sa.Column("public_id", sa.Uuid(), nullable=False),
        sa.Column("account", NUMBER, nullable=False),
        sa.Column("name", sa.String(length=256), nullable=False),
        sa.Column("role", STATE, nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("secret_hash", sa.String(length=256), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("last_used_at", TIME, nullable=True),
        sa.Column("revoked_at", TIME, nullable=True),
        sa.ForeignKeyConstraint(["account"], ["accounts.number"], name="fk_api_keys_account"),
        sa.PrimaryKeyConstraint("number", name="pk_api_keys"),
        sa.UniqueConstraint("key", name="uq_api_keys_key"),
        sa.UniqueConstraint("public_id", name="uq_api_keys_public_id"),
    )
    op.create_index("ix_api_keys_account", "api_keys", ["account"], unique=False)
    op.create_table(
        "link_domains",
        sa.Column("domain", sa.String(length=255), nullable=False),
        sa.Column("account", NUMBER, nullable=False),
        sa.Column("claimed_at", TIME, nullable=False),
        sa.ForeignKeyConstraint(["account"], ["accounts.number"], name="fk_link_domains_account"),
        sa.PrimaryKeyConstraint("domain", name="pk_link_domains"),
    )
    op.create_index("ix_link_domains_account", "link_domains", ["account"], unique=False)
    op.create_table(
        "profiles",
        sa.Column("number", NUMBER, nullable=False),
        sa.Column("public_id", sa.Uuid(), nullable=False),
        sa.Column("account", NUMBER, nullable=False),
        sa.Column("profile_name", sa.String(length=256), nullable=False),
        sa.Column("sending_domain", sa.String(length=255), nullable=False),
        sa.Column("link_domain", sa.String(length=255), nullable=False),
        sa.Column("link_domain_default_redirect", sa.Text(), nullable=False),
        sa.Column("bounce_domain", sa.String(length=255), nullable=False),
        sa.Column("state", STATE, nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("modified_at", TIME, nullable=False),
        sa.Column("deleted_at", TIME, nullable=True),
        sa.ForeignKeyConstraint(["account"], ["accounts.number"], name="fk_profiles_account"),
        sa.PrimaryKeyConstraint("number", name="pk_profiles"),
        sa.UniqueConstraint("public_id", name="uq_profiles_public_id"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_profiles_account_sending_domain", "profiles", ["account", "sending_domain"], unique=False)
    op.create_index("ix_profiles_link_domain", "profiles", ["link_domain"], unique=False)
    op.create_table(
        "auth_sessions",
        sa.Column("number", NUMBER, nullable=False),
        sa.Column("public_id", sa.Uuid(), nullable=False),
        sa.Column("api_key", NUMBER, nullable=False),
        sa.Column("refresh_token_hash", sa.String(length=64), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("last_used_at", TIME, nullable=False),
        sa.Column("expires_at", TIME, nullable=False),
        sa.Column("superseded_at", TIME, nullable=True),
        sa.Column("revoked_at", TIME, nullable=True),
        sa.ForeignKeyConstraint(["api_key"], ["api_keys.number"], name="fk_auth_sessions_api_key"),
        sa.PrimaryKeyConstraint("number", name="pk_auth_sessions"),
        sa.UniqueConstraint("public_id", name="uq_auth_sessions_public_id"),
        sa.UniqueConstraint("refresh_token_hash", name="uq_auth_sessions_refresh_token_hash"),
    )
    op.create_index("ix_auth_sessions_api_key", "auth_sessions", ["api_key"], unique=False)
    op.create_table(
        "sends",
        sa.Column("send_id", sa.Uuid(), nullable=False),
        sa.Column("send_key", sa.String(length=27), nullable=False),
        sa.Column("account", NUMBER, nullable=False),
        sa.Column("profile", NUMBER, nullable=False),
        sa.Column("content_id", NUMBER, nullable=True),
        sa.Column("from_email_address", sa.String(length=320), nullable=False),
        sa.Column("from_name", sa.Text(), nullable=False),
        sa.Column("reply_to", sa.String(length=320), nullable=False),
        sa.Column("recipient_email_address", sa.String(length=320), nullable=False),
        sa.Column("recipient_name", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("open_tracking", sa.Boolean(), nullable=False),
        sa.Column("click_tracking", sa.Boolean(), nullable=False),
        sa.Column("tags", JSON, nullable=False),
        sa.Column("state", STATE, nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("modified_at", TIME, nullable=False),
        sa.ForeignKeyConstraint(["account"], ["accounts.number"], name="fk_sends_account"),
        sa.ForeignKeyConstraint(
            ["content_id"], ["contents.content_id"], name="fk_sends_content_id", ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(["profile"], ["profiles.number"], name="fk_sends_profile"),
        sa.PrimaryKeyConstraint("send_id", name="pk_sends"),
        sa.UniqueConstraint("send_key", name="uq_sends_send_key"),
    )
    op.create_index("ix_sends_account_send_id", "sends", ["account", "send_id"], unique=False)
    op.create_index("ix_sends_content_id", "sends", ["content_id"], unique=False)
    op.create_table(
        "deliveries",
        sa.Column("delivery_id", NUMBER, nullable=False),
        sa.Column("send_id", sa.Uuid(), nullable=False),
        sa.Column("state", STATE, nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("first_attempt_at", TIME, nullable=True),
        sa.Column("next_attempt_at", TIME, nullable=False),
        sa.Column("claimed_until", TIME, nullable=True),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("created_at", TIME, nullable=False),
        sa.ForeignKeyConstraint(["send_id"], ["sends.send_id"], name="fk_deliveries_send_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("delivery_id", name="pk_deliveries"),
        sa.UniqueConstraint("send_id", name="uq_deliveries_send_id"),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "ix_deliveries_due",
        "deliveries",
        ["next_attempt_at"],
        unique=False,
        sqlite_where=sa.text("state IN ('queued', 'sending')"),
        postgresql_where=sa.text("state IN ('queued', 'sending')"),
    )
    op.create_table(
        "reports",
        sa.Column("send_id", sa.Uuid(), nullable=False),
        sa.Column("report", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.ForeignKeyConstraint(["send_id"], ["sends.send_id"], name="fk_reports_send_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("send_id", name="pk_reports"),
    )
    op.create_index("ix_reports_created_at", "reports", ["created_at"], unique=False)
