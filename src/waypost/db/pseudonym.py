"""The id that stands for a send in the tokens of pseudonymous mode.

It is stored nowhere beside the send, so nothing that reads the databases can join a click with an address by mistake.
Whoever holds `control.key` can still go from a send to its pseudonym (GDPR, article 4(5): the additional information is
kept apart), which erasure by address needs. Edges never have that key.
"""

from datetime import timedelta
from typing import Final
from uuid import UUID

from waypost.db.control_key import ControlKey
from waypost.events.ids import uuid7, uuid7_unix_ms

_DAY_MS: Final = timedelta(days=1) // timedelta(milliseconds=1)


def pseudonym(control_key: ControlKey, send_id: UUID) -> UUID:
    """The same one each time: every attempt to deliver a message gives the same links.

    Its time is the day of the send: to the millisecond, it would be the send's own.
    """
    day = uuid7_unix_ms(send_id) // _DAY_MS * _DAY_MS
    return uuid7(day, control_key.digest(send_id.bytes, "pseudonym of a send"))
