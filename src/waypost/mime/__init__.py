"""Messages as bytes: pure, and exact about the bytes of their parts."""

from waypost.mime.compose import Message, compose
from waypost.mime.mailbox import AddressProblem, Mailbox, ascii_domain, mailbox

__all__ = ["AddressProblem", "Mailbox", "Message", "ascii_domain", "compose", "mailbox"]
