"""What keeps checks from running at all.

TrustedRootsError    the file of root certificates cannot be used
"""


class TrustedRootsError(Exception):
    """The setting `dns.trusted_roots` names no usable file; the message is for the operator."""
