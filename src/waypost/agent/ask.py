"""Whether a certificate may be had for a name: the question a TLS front asks before it orders one."""

from collections.abc import Collection

from waypost.fleet.snapshot import Snapshot


def may_have_certificate(name: str, snapshot: Snapshot | None, link_domains: Collection[str]) -> bool:
    """Only link domains may: else anybody who points a name here could use up the certificate authority's limits.

    Args:
        name: as the client's handshake had it; upper case and a final dot are tolerated.
        snapshot: lists the link domains; None: there is none yet.
        link_domains: those of the settings, which count while there is no snapshot.
    """
    name = name.lower().removesuffix(".")
    return name in (link_domains if snapshot is None else snapshot.link_domains)
