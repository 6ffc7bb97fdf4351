"""send_key, against the examples of the KSUID project's README."""

import pytest

from waypost.control.ksuid import EPOCH_SECONDS, ksuid


@pytest.mark.parametrize(
    ("seconds", "randomness", "text"),
    [
        (EPOCH_SECONDS + 107608047, "B5A1CD34B5F99D1154FB6853345C9735", "0ujtsYcgvSTl8PAuAdqWYSMnLOv"),
        (EPOCH_SECONDS + 107610780, "73FC1AA3B2446246D6E89FCD909E8FE8", "0ujzPyRiIAffKhBux4PvQdDqMHY"),
        (EPOCH_SECONDS, "00" * 16, "000000000000000000000000000"),
        (EPOCH_SECONDS + 2**32 - 1, "FF" * 16, "aWgEPTl1tmebfsQzFP4bxwgy80V"),
    ],
)
def test_a_ksuid_is_written_as_the_reference_writes_it(seconds, randomness, text):
    assert ksuid(seconds, bytes.fromhex(randomness)) == text


@pytest.mark.parametrize(("seconds", "size"), [(EPOCH_SECONDS, 15), (EPOCH_SECONDS, 17), (EPOCH_SECONDS - 1, 16)])
def test_what_does_not_fit_is_refused(seconds, size):
    with pytest.raises((ValueError, OverflowError)):
        ksuid(seconds, bytes(size))
