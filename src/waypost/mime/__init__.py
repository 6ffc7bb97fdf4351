"""Messages as bytes: pure, and exact about the bytes of their parts."""

from waypost.mime.attachment import Attachment
from waypost.mime.compose import Message, compose
from waypost.mime.mailbox import AddressProblem, Mailbox, ascii_domain, mailbox
from waypost.mime.unsubscribe import Unsubscribe

__all__ = ["AddressProblem", "Attachment", "Mailbox", "Message", "Unsubscribe", "ascii_domain", "compose", "mailbox"]
