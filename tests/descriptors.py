"""A process that can open nothing more."""

import resource
from contextlib import contextmanager


@contextmanager
def no_descriptor_left():
    """Any open fails, as in a process with too many connections."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
