"""What an account is made of."""

from waypost.control.fields import EmailAddress, Name, RequestModel


class NewAccount(RequestModel):
    """An account to be created; it starts `pending`."""

    name: Name
    email: EmailAddress
