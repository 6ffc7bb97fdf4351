"""Self-hosted click tracking for email."""

__version__ = "0.1.0"
