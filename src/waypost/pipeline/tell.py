"""Hands what was stored to the webhooks, before the pipeline lets go of where it came from."""

from collections.abc import Iterable, Sequence

from waypost.events.hit import Hit, Outcome
from waypost.events.notice import NoticeType, Occurrence
from waypost.events.reclassified import Reclassified
from waypost.links.token import Privacy
from waypost.pipeline.verdicts import Change
from waypost.store import SendEventRow
from waypost.store.verdicts import Judged
from waypost.webhooks.notices import Notices


class Teller:
    """Says what there is to tell. Without endpoints it costs a comparison of clocks.

    Nobody is told of HEAD requests, prefetches and refused visits, which count for nothing, nor of what belongs to no
    send or of a pseudonym: there is nobody to name.
    """

    def __init__(self, notices: Notices) -> None:
        self._notices = notices

    def hits(self, hits: Iterable[Hit]) -> None:
        """Clicks and opens, in the store by now; twice is as good as once.

        Raises:
            SQLAlchemyError: they have to be handed over again.
        """
        if accounts := self._notices.accounts():
            self._notices.occurred(
                [
                    Occurrence(hit.account, hit.send_id, hit.event_id, NoticeType(hit.kind), hit.occurred_at)
                    for hit in hits
                    if hit.account in accounts
                    and hit.outcome is Outcome.ANSWERED
                    and hit.send_id is not None
                    and hit.privacy is Privacy.IDENTIFIED
                ]
            )

    def send_events(self, rows: Iterable[SendEventRow]) -> None:
        """The same for the states of sends."""
        if accounts := self._notices.accounts():
            self._notices.occurred(
                [
                    Occurrence(row.account, row.send_id, row.event_id, NoticeType(row.event), row.occurred_at)
                    for row in rows
                    if row.account in accounts
                ]
            )

    def changes(self, changes: Iterable[Change]) -> None:
        """Verdicts that are about to change."""
        if accounts := self._notices.accounts():
            self._notices.reclassified(
                [told for change in changes if change.account in accounts and (told := _reclassified(change))]
            )

    def settled(self, judged: Sequence[Judged]) -> None:
        """Verdicts that are final, in the store by now."""
        if self._notices.accounts():
            self._notices.settled((each.account, each.event_id) for each in judged)


def _reclassified(change: Change) -> Reclassified | None:
    hit = change.hit
    if hit.outcome is not Outcome.ANSWERED or change.send_id is None or change.before is None or not change.identified:
        return None
    occurrence = Occurrence(change.account, change.send_id, hit.event_id, NoticeType(hit.kind), hit.occurred_at)
    return Reclassified(occurrence, change.before, change.verdict)
