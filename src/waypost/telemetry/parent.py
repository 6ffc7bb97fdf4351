"""A child that must not outlive its parent: killed supervisors leave no orphan that holds the port or the store."""

import ctypes
import os
import signal

_PR_SET_PDEATHSIG = 1  # prctl(2)


def end_with_parent(parent: int) -> None:
    """Get SIGTERM when the process `parent`, which started this one, ends, however it ends.

    Raises:
        OSError: the kernel refuses.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
    # It may have ended before the call.
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGTERM)
