"""The control database: tables, transactions, migrations, and the key that seals its secrets."""

from waypost.db.control_key import CONTROL_KEY_FILE, ControlKey, create_control_key, load_control_key
from waypost.db.engine import SQLITE_FILE, Database, create_engine, database_url
from waypost.db.errors import UNAVAILABLE, ControlKeyError, DatabaseError, DatabaseUrlError, UnknownRevisionError
from waypost.db.insert import insert_absent, insert_new
from waypost.db.migrate import alone, is_migrated, migrate

__all__ = [
    "CONTROL_KEY_FILE",
    "SQLITE_FILE",
    "UNAVAILABLE",
    "ControlKey",
    "ControlKeyError",
    "Database",
    "DatabaseError",
    "DatabaseUrlError",
    "UnknownRevisionError",
    "alone",
    "create_control_key",
    "create_engine",
    "database_url",
    "insert_absent",
    "insert_new",
    "is_migrated",
    "load_control_key",
    "migrate",
]
