"""Alembic's entry: `waypost.db.migrate` hands over an open connection and commits it."""

from alembic import context

from waypost.db.tables import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    # SQLite can roll DDL back too, once the driver leaves BEGIN to us (see engine.py).
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
