"""The search tree of a file in the MaxMind DB format, walked for many addresses at once.

Addresses that come to one leaf have one record, so what was read once is known by its leaf. The C library walks and
reads in one, and to walk address by address in Python costs more than that; NumPy takes a step with thousands at once.
Format: https://maxmind.github.io/MaxMind-DB/ (Binary Search Tree Section).
"""

from collections.abc import Sequence
from mmap import mmap
from typing import Final

import numpy as np
from numpy.typing import NDArray

_WORD_BYTES: Final = 4
# Of an IPv6 tree, an IPv4 address is ::a.b.c.d.
_BITS_BEFORE_IPV4: Final = 96


class Tree:
    """A search tree, as it lies in the file."""

    def __init__(self, file: mmap | bytes, *, nodes: int, record_bits: int, ip_version: int) -> None:
        """Find where IPv4 begins.

        Args:
            file: all of it; the tree is its beginning.
            nodes: how many the tree has.
            record_bits: 24, 28 or 32; a node is two records.
            ip_version: 4 or 6.

        Raises:
            ValueError: the file is too short for the tree.
        """
        self._nodes: Final = nodes
        self._record_bits: Final = record_bits
        self._node_bytes: Final = record_bits // 4
        # The word that begins at each byte: records are not aligned. A tree is followed by 16 zero bytes.
        words = nodes * self._node_bytes
        if len(file) < words + _WORD_BYTES:
            raise ValueError("the file is shorter than its tree")
        self._words: Final = np.ndarray(words, ">u4", file, 0, (1,))
        self._ipv4 = 0
        for _ in range(_BITS_BEFORE_IPV4 if ip_version == 6 else 0):  # noqa: PLR2004 -- IPv6
            if self._ipv4 < nodes:
                self._ipv4 = int(self._children(np.array([self._ipv4]), np.array([0]))[0])

    def leaves(self, addresses: Sequence[int], bits: int) -> list[int]:
        """Where each address comes to: addresses that come to the same leaf have the same record, or none.

        Args:
            addresses: as numbers.
            bits: of all of them: 32 or 128.
        """
        width = bits // 8
        packed = b"".join([address.to_bytes(width, "big") for address in addresses])
        turns = np.unpackbits(np.frombuffer(packed, np.uint8).reshape(-1, width), axis=1)
        at = np.full(len(addresses), self._ipv4 if bits == 32 else 0)  # noqa: PLR2004 -- IPv4
        for turn in turns.T:
            inside = np.flatnonzero(at < self._nodes)
            if not len(inside):
                break
            at[inside] = self._children(at[inside], turn[inside])
        return at.tolist()

    def _children(self, nodes: NDArray[np.int64], right: NDArray[np.integer]) -> NDArray[np.int64]:
        """The left child of each node, or the right one where `right` is 1."""
        if self._record_bits == 28:  # noqa: PLR2004 -- the middle byte has four bits of each
            word = self._words[nodes * self._node_bytes + right * 3].astype(np.int64)
            return np.where(right, word & 0x0FFF_FFFF, word >> 8 | (word & 0xF0) << 20)
        word = self._words[nodes * self._node_bytes + right * (self._record_bits // 8)]
        return (word >> (32 - self._record_bits)).astype(np.int64)
