"""The cipher, as the tokens use it, against the vectors of RFC 5297 and of Wycheproof (C2SP/wycheproof, Apache-2.0)."""

import base64
from typing import NamedTuple

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CTR
from cryptography.hazmat.primitives.cmac import CMAC

from waypost.links.keyring import Keyring
from waypost.links.token import IpPolicy, Kind, Payload, Privacy, open_token, seal

LONG_KEY = bytes(range(64)).hex()


class Vector(NamedTuple):
    name: str
    key: str
    bound_to: list[str]
    plaintext: str
    sealed: str


VECTORS = [
    Vector(
        "RFC 5297, A.1",
        "fffefdfcfbfaf9f8f7f6f5f4f3f2f1f0f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff",
        ["101112131415161718191a1b1c1d1e1f2021222324252627"],
        "112233445566778899aabbccddee",
        "85632d07c6e8f37f950acd320a2ecc9340c02b9690c4dc04daef7f6afe5c",
    ),
    Vector(
        "RFC 5297, A.2",
        "7f7e7d7c7b7a79787776757473727170404142434445464748494a4b4c4d4e4f",
        [
            "00112233445566778899aabbccddeeffdeaddadadeaddadaffeeddccbbaa99887766554433221100",
            "102030405060708090a0",
            "09f911029d74e35bd84156c5635688c0",
        ],
        "7468697320697320736f6d6520706c61696e7465787420746f20656e6372797074207573696e67205349562d414553",
        (
            "7bdb6e3b432667eb06f4d14bff2fbd0fcb900f2fddbe404326601965c889bf17"
            "dba77ceb094fa663b7a3f748ba8af829ea64ad544a272e9c485b62a3fd5c0d"
        ),
    ),
    Vector(
        "Wycheproof 326, 64-byte key",
        LONG_KEY,
        ["000102030405060708090a0b0c0d0e0f"],
        "bfa1733d07afa03cb3f2eeb81bbde037",
        "000000000000000000000000000000004ce637d6ca9cdf1c2feb0d140865cddb",
    ),
    Vector(
        "Wycheproof 330, 64-byte key",
        LONG_KEY,
        ["000102030405060708090a0b0c0d0e0f"],
        "cd53e1763fbb8663afe74dc1bd443e52",
        "ffffffffffffffffffffffff7fffffff82b74728b73fc76c14b6bdb999625008",
    ),
    Vector(
        "Wycheproof 334, 64-byte key",
        LONG_KEY,
        ["000102030405060708090a0b0c0d0e0f"],
        "23525ec6dfb28c323340d09538b4b015",
        "fffffffffffffffffffffffffffffffe1d9a0bf851a0dca6bd0b74fecebf654a",
    ),
]
EACH = pytest.mark.parametrize("vector", VECTORS, ids=[vector.name for vector in VECTORS])


def cipher_of(vector):
    return AESSIV(bytes.fromhex(vector.key)), [bytes.fromhex(string) for string in vector.bound_to]


@EACH
def test_the_cipher_seals_and_opens_as_published(vector):
    cipher, bound_to = cipher_of(vector)
    assert cipher.encrypt(bytes.fromhex(vector.plaintext), bound_to).hex() == vector.sealed
    assert cipher.decrypt(bytes.fromhex(vector.sealed), bound_to).hex() == vector.plaintext


@EACH
def test_the_cipher_refuses_each_flipped_bit(vector):
    cipher, bound_to = cipher_of(vector)
    for bit in range(len(vector.sealed) * 4):
        altered = bytearray.fromhex(vector.sealed)
        altered[bit // 8] ^= 1 << bit % 8
        with pytest.raises(InvalidTag):
            cipher.decrypt(bytes(altered), bound_to)


def cmac(key, data):
    mac = CMAC(AES(key))
    mac.update(data)
    return mac.finalize()


def doubled(block):
    number = int.from_bytes(block, "big") << 1
    return (number & (1 << 128) - 1 ^ (0x87 if number >> 128 else 0)).to_bytes(16, "big")


def xor(left, right):
    return bytes(a ^ b for a, b in zip(left, right, strict=True))


def siv(secret, strings, plaintext):
    """RFC 5297, sections 2.4 and 2.6, written a second time."""
    mac_key, encryption_key = secret[:32], secret[32:]
    block = cmac(mac_key, bytes(16))
    for string in strings:
        block = xor(doubled(block), cmac(mac_key, string))
    if len(plaintext) >= 16:
        last = plaintext[:-16] + xor(plaintext[-16:], block)
    else:
        last = xor(doubled(block), plaintext + b"\x80" + bytes(15 - len(plaintext)))
    tag = cmac(mac_key, last)
    counter = (int.from_bytes(tag, "big") & ~(1 << 63 | 1 << 31)).to_bytes(16, "big")
    return tag + Cipher(AES(encryption_key), CTR(counter)).encryptor().update(plaintext)


@pytest.mark.parametrize("vector", VECTORS[2:], ids=[vector.name for vector in VECTORS[2:]])
def test_the_second_writing_of_the_rfc_is_right(vector):
    secret, plaintext = bytes.fromhex(vector.key), bytes.fromhex(vector.plaintext)
    assert siv(secret, map(bytes.fromhex, vector.bound_to), plaintext).hex() == vector.sealed


def test_a_token_is_what_its_description_says_byte_for_byte():
    secret = bytes(range(64))
    plaintext = bytes([0b100 | 0b10000, 0xAC, 0x02, 5, 1]) + b"HTTP://Q.ZW/"  # anonymous, IP policy none, account 300
    token = b"\x01\x01" + siv(secret, [b"\x01\x01", b"links.example.com"], plaintext)
    text = seal(
        Payload(Kind.CLICK, 300, 5, 1, "HTTP://Q.ZW/", privacy=Privacy.ANONYMOUS, ip_policy=IpPolicy.NONE),
        "links.example.com",
        Keyring.new(secret),
    )
    assert text == base64.urlsafe_b64encode(token).rstrip(b"=").decode()
    assert open_token(text, "links.example.com", Keyring.new(secret)).destination == "HTTP://Q.ZW/"
