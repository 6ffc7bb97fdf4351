"""Fuzz open_token: python fuzz/fuzz_open_token.py -max_total_time=60

Whatever the text, it opens or raises a TokenError. Three ways in, as a seal keeps a fuzzer out: the input as text, as
the bytes of a token, and as a plaintext under a true seal; what opens there must seal and open to the same payload.
"""

import base64
import sys

import atheris

with atheris.instrument_imports(include=["waypost"]):
    from waypost.links.errors import Malformed, TokenError
    from waypost.links.keyring import Keyring
    from waypost.links.token import open_token, seal

DOMAIN = "links.example.com"
KEYRING = Keyring.new(bytes(range(64)))
HEADER = bytes((1, KEYRING.minting.key_id))


def text_of(token: bytes) -> str:
    return base64.urlsafe_b64encode(token).rstrip(b"=").decode()


def test_one_input(data: bytes) -> None:
    provider = atheris.FuzzedDataProvider(data)
    domain = provider.ConsumeUnicode(20)
    text = provider.ConsumeUnicode(sys.maxsize)
    for unsealed in (text, text_of(data), text_of(HEADER + data)):
        try:
            open_token(unsealed, domain, KEYRING)
        except TokenError:
            continue
        raise AssertionError(f"opened without a seal: {unsealed!r}")

    sealed = text_of(HEADER + KEYRING.ciphers[1].encrypt(data, [HEADER, DOMAIN.encode()])) if data else ""
    try:
        payload = open_token(sealed, DOMAIN, KEYRING)
    except Malformed:
        return
    if open_token(seal(payload, DOMAIN, KEYRING), DOMAIN, KEYRING) != payload:
        raise AssertionError(f"does not come back: {payload}")


if __name__ == "__main__":
    atheris.Setup(sys.argv, test_one_input)
    atheris.Fuzz()
