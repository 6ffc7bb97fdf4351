"""The dry run: which links of a message would be tracked."""

from waypost.control.context import Control
from waypost.control.fields import domain_of
from waypost.control.links.planning import LinkPlan, plan_links
from waypost.control.links.schema import PreviewRequest
from waypost.control.oauth.service import Principal
from waypost.control.profiles.service import active_profile
from waypost.db.link_policy import unsubscribe_urls
from waypost.db.tables import Profile


def preview(control: Control, principal: Principal, request: PreviewRequest) -> tuple[Profile, LinkPlan]:
    """What would be tracked if this were sent, and with which profile.

    Raises:
        AccountNotApprovedError: the account may not send.
        NoActiveProfileError: nor may the address's domain.
    """
    principal.require_approved()
    with control.database.reading() as session:
        profile = active_profile(session, principal.account.number, domain_of(request.from_email_address))
    untouched = unsubscribe_urls(request.list_unsubscribe.stored() if request.list_unsubscribe else None)
    return profile, plan_links(request.content_html, control.keyring(), untouched)
