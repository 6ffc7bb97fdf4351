"""What can go wrong between an edge machine and its core.

AgentError
├── NotConfigured        the settings do not say enough, or ask for something unsafe
└── CoreError            the core did not do what it was asked
    ├── CoreUnreachable  no answer, or not to the end
    ├── CoreRefused      an answer that says no
    └── CoreConfused     an answer that is none: another server, or a broken one
"""


class AgentError(Exception):
    """The message is for the operator."""


class NotConfigured(AgentError):
    """The settings have to be changed."""


class CoreError(AgentError):
    """The core did not do what it was asked.

    Attributes:
        retry_after_seconds: when it wants to be asked again; None: it did not say.
    """

    retry_after_seconds: int | None = None


class CoreUnreachable(CoreError):
    """No answer, or not to the end."""


class CoreRefused(CoreError):
    """An answer that says no.

    Attributes:
        status: of HTTP.
    """

    def __init__(self, status: int, message: str, retry_after_seconds: int | None = None) -> None:
        super().__init__(f"it answered {status}{': ' if message else ''}{message}")
        self.status = status
        self.retry_after_seconds = retry_after_seconds


class CoreConfused(CoreError):
    """An answer that cannot be meant."""
