"""`/api/v1/email/links`: extension of SMTPD's API."""

from fastapi import APIRouter

from waypost.control.context import ControlParts
from waypost.control.errors import Code
from waypost.control.links.schema import Preview, PreviewRequest, RewriteReport
from waypost.control.links.service import preview
from waypost.control.oauth.bearer import Sender
from waypost.control.responses import refusals

router = APIRouter(prefix="/api/v1/email/links", tags=["links"])


@router.post(
    "/preview",
    responses=refusals(
        Code.BODY_MALFORMED, Code.FIELD_INVALID, Code.NO_ACTIVE_PROFILE, Code.BEARER_INVALID, Code.ROLE_FORBIDS,
        Code.ACCOUNT_NOT_APPROVED, Code.BODY_TOO_LARGE,
    ),
)  # fmt: skip
def preview_links(control: ControlParts, principal: Sender, body: PreviewRequest) -> Preview:
    """Say which links of a message would be tracked, and why the others not. Sends nothing, keeps nothing."""
    profile, planned = preview(control, principal, body)
    return Preview(
        sending_profile_id=profile.public_id,
        link_domain=profile.link_domain,
        link_report=RewriteReport.model_validate(planned.report),
    )
