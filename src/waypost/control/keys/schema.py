"""What an API key is made of."""

from waypost.control.fields import Name, RequestModel
from waypost.db.states import Role


class NewApiKey(RequestModel):
    """A key to be created."""

    name: Name
    role: Role
