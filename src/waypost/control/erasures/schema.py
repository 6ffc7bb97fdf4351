"""Erasure as it is asked for, and how far it is."""

from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, Field

from waypost.control.fields import EmailAddress, RequestModel
from waypost.control.times import unix_seconds
from waypost.db.states import ErasureState
from waypost.db.tables import Erasure


class NewErasure(RequestModel):
    """Whose traces are to go."""

    recipient_email_address: EmailAddress
    all_accounts: Annotated[
        bool, Field(description="Not only in what this account sent, but in what any did. For operators.")
    ] = False


class ErasureView(BaseModel):
    """An erasure. The address is not in it: once it is done, it is known no more."""

    erasure_id: UUID
    state: Annotated[
        ErasureState,
        Field(description="`requested`, `erased` (no row tells of her), `purged` (nor do the stores' files)."),
    ]
    all_accounts: bool
    counts: Annotated[
        dict[str, int],
        Field(
            description="Rows deleted or made anonymous, by table; empty before `erased`. Of segments that are set "
            "aside: `quarantined_records` made anonymous, `quarantined_unreadable_bytes` blanked, whoever they were of."
        ),
    ]
    quarantined_segments: Annotated[
        int | None,
        Field(
            description="Segments set aside in the core's spool that could not be searched, because a later release "
            "has written them or the disk fails. They may hold a trace until they are deleted "
            "(`spool.quarantine_days`); null before `erased`."
        ),
    ]
    requested_by: str
    requested_at_utc: Annotated[int, Field(description="Unix seconds.")]
    erased_at_utc: Annotated[int | None, Field(description="Unix seconds.")]
    purged_at_utc: Annotated[int | None, Field(description="Unix seconds; within 24 hours of the request.")]

    @classmethod
    def of(cls, erasure: Erasure) -> "ErasureView":
        """As it is shown."""
        return cls(
            erasure_id=erasure.public_id,
            state=erasure.state,
            all_accounts=erasure.account is None,
            counts=erasure.counts,
            quarantined_segments=erasure.quarantined_segments,
            requested_by=erasure.requested_by,
            requested_at_utc=unix_seconds(erasure.requested_at),
            erased_at_utc=unix_seconds(erasure.erased_at) if erasure.erased_at else None,
            purged_at_utc=unix_seconds(erasure.purged_at) if erasure.purged_at else None,
        )
