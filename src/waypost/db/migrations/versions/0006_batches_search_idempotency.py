"""Reports beside the content they are about, the search index, and requests that are done once."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import TSVECTOR

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TIME = sa.DateTime(timezone=True)

# An index over search_entries.words (FTS5, "External Content Tables"): the words are not stored twice, and a send that
# is deleted leaves the index. Words hold ".", and letters of any script are told apart as they are. The table is small
# per word and is asked for prefixes only, so positions are not kept.
FTS5 = (
    """
    CREATE VIRTUAL TABLE search_words USING fts5(
        words, content='search_entries', content_rowid='number', detail=none, columnsize=0,
        tokenize="ascii tokenchars '.'"
    )
    """,
    """
    CREATE TRIGGER search_entries_insert AFTER INSERT ON search_entries BEGIN
        INSERT INTO search_words (rowid, words) VALUES (new.number, new.words);
    END
    """,
    """
    CREATE TRIGGER search_entries_delete AFTER DELETE ON search_entries BEGIN
        INSERT INTO search_words (search_words, rowid, words) VALUES ('delete', old.number, old.words);
    END
    """,
)


def upgrade() -> None:
    """Two tables and a column that the release before does not look at. What it accepts meanwhile is not searched."""
    op.add_column("contents", sa.Column("report", sa.LargeBinary(), nullable=True))
    op.create_table(
        "search_entries",
        sa.Column("number", NUMBER, nullable=False),
        sa.Column("send_id", sa.Uuid(), nullable=False),
        sa.Column("words", sa.Text().with_variant(TSVECTOR(), "postgresql"), nullable=False),
        sa.ForeignKeyConstraint(["send_id"], ["sends.send_id"], name="fk_search_entries_send_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("number", name="pk_search_entries"),
    )
    op.create_index("ix_search_entries_send_id", "search_entries", ["send_id"], unique=False)
    if op.get_bind().dialect.name == "postgresql":
        op.create_index("ix_search_entries_words", "search_entries", ["words"], postgresql_using="gin")
    else:
        for statement in FTS5:
            op.execute(statement)
    op.create_table(
        "idempotency_keys",
        sa.Column("account", NUMBER, nullable=False),
        sa.Column("key", sa.String(length=255), nullable=False),
        sa.Column("request_digest", sa.String(length=64), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("answer", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.ForeignKeyConstraint(["account"], ["accounts.number"], name="fk_idempotency_keys_account"),
        sa.PrimaryKeyConstraint("account", "key", name="pk_idempotency_keys"),
    )
    op.create_index("ix_idempotency_keys_created_at", "idempotency_keys", ["created_at"], unique=False)
