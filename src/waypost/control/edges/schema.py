"""What an edge is registered with."""

from typing import Annotated

from pydantic import Field

from waypost.control.fields import RequestModel

MAX_EDGE_NAME_CHARACTERS = 32


class NewEdge(RequestModel):
    """An edge on a machine of its own: its setting `edge.name`."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$")]
