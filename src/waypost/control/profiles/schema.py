"""What a sending profile is made of."""

from waypost.control.fields import DomainName, MailDomainName, Name, RequestModel, WebUrl


class NewProfile(RequestModel):
    """A sending profile to be created; its domains cannot be changed afterwards."""

    profile_name: Name
    sending_domain: MailDomainName
    link_domain: DomainName
    link_domain_default_redirect: WebUrl | None = None
    bounce_domain: MailDomainName | None = None
