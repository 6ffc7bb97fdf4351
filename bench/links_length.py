"""Length of tracked links, and of what compresses their destinations (gate P6; docs/adr/0001-tokens.md).

    python bench/links_length.py [--corpus FOLDER]

Destinations are those that `plan` tracks in every .html file below FOLDER (repeats count: a reader downloads them too),
and the half of bench/data/mail-urls.txt that was not in sight when the substring table was chosen.
"""

import argparse
import base64
import hashlib
import hmac
import json
import statistics
import string
import urllib.parse
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from uuid import UUID

import brotli
import pytracking

from waypost.links import Policy, plan
from waypost.links.compression import compress
from waypost.links.keyring import Keyring
from waypost.links.token import Sealer
from waypost.links.url import click_url
from waypost.links.url_codes import SUBSTRINGS

try:
    from compression import zstd  # Python 3.14
except ImportError:
    from backports import zstd

ROOT = Path(__file__).parent.parent
RESULT = ROOT / "bench" / "results" / "links-length.json"
LIMIT_OVER_DESTINATION = 80  # P6

# The same facts for every style of link. Numbers as an install with thousands of accounts has them.
HOST = "links.example.com"
ORIGIN = f"https://{HOST}"
ACCOUNT, PROFILE, LINK_INDEX = 12_345, 67_890, 7
SEND_ID = UUID("01907e0c-6b3e-7d2a-9f4b-5c6d7e8f9a0b")
SECRET = bytes(range(64))

MAIL_URLS = [
    line for line in (ROOT / "bench" / "data" / "mail-urls.txt").read_text().splitlines() if not line.startswith("#")
]
SEEN, UNSEEN = MAIL_URLS[0::2], MAIL_URLS[1::2]
DICTIONARY = "".join([*SEEN, *sorted(SUBSTRINGS, key=len)]).encode()
"""For deflate: all that the table knows, and the URLs it was chosen with."""


def none(url: str) -> int:
    return len(url)


def table(url: str) -> int:
    return len(compress(url))


def table_without_runs(url: str) -> int:
    costs = [0] * (len(url) + 1)
    known = {*SUBSTRINGS, *url}
    for at in range(len(url) - 1, -1, -1):
        ends = range(at + 1, min(len(url), at + max(map(len, SUBSTRINGS))) + 1)
        costs[at] = 1 + min(costs[end] for end in ends if url[at:end] in known)
    return costs[0]


def deflate(url: str, dictionary: bytes = b"") -> int:
    sizes = []
    for strategy in (zlib.Z_DEFAULT_STRATEGY, zlib.Z_FIXED):
        compressor = zlib.compressobj(9, zlib.DEFLATED, -15, 9, strategy, *([dictionary] if dictionary else []))
        sizes.append(len(compressor.compress(url.encode()) + compressor.flush()))
    return min(sizes)


def deflate_with_dictionary(url: str) -> int:
    return deflate(url, DICTIONARY)


def brotli_quality_11(url: str) -> int:
    return len(brotli.compress(url.encode(), mode=brotli.MODE_TEXT, quality=11, lgwin=10))


ZSTD_MAGIC_BYTES = 4  # need not be sent
ZSTD_OPTIONS = {
    zstd.CompressionParameter.compression_level: 19,
    zstd.CompressionParameter.content_size_flag: 0,
    zstd.CompressionParameter.dict_id_flag: 0,
}
ZSTD_DICTIONARY = zstd.train_dict([url.encode() for url in SEEN] * 4, 2048)  # it wants many samples; 2 KB did best


def zstd_with_dictionary(url: str) -> int:
    return len(zstd.compress(url.encode(), options=ZSTD_OPTIONS, zstd_dict=ZSTD_DICTIONARY)) - ZSTD_MAGIC_BYTES


COMPRESSIONS: dict[str, Callable[[str], int]] = {
    "none": none,
    "substring table, packed runs (ours)": table,
    "substring table alone": table_without_runs,
    "deflate": deflate,
    "deflate, preset dictionary": deflate_with_dictionary,
    "brotli": brotli_quality_11,
    "zstd, trained dictionary": zstd_with_dictionary,
}

SEALER = Sealer(Keyring.new(SECRET), HOST, account=ACCOUNT, profile=PROFILE)
METADATA = {"account": ACCOUNT, "profile": PROFILE, "send": str(SEND_ID), "link": LINK_INDEX}
FERNET_KEY = base64.urlsafe_b64encode(SECRET[:32])


def waypost(url: str) -> str:
    return click_url(ORIGIN, SEALER.click(SEND_ID, LINK_INDEX, url))


def pytracking_plain(url: str) -> str:
    return pytracking.get_click_tracking_url(url, METADATA, base_click_tracking_url=f"{ORIGIN}/c/")


def pytracking_encrypted(url: str) -> str:
    return pytracking.get_click_tracking_url(
        url, METADATA, base_click_tracking_url=f"{ORIGIN}/c/", encryption_bytestring_key=FERNET_KEY
    )


def ahoy_email(url: str) -> str:
    """As AhoyEmail::Utils.signature and its click route: campaign, signature, token of 32 characters, URL."""
    campaign, token = f"{ACCOUNT}-{PROFILE}-{LINK_INDEX}", string.ascii_letters[:32]
    data = b"|".join(base64.b64encode(part.encode()) for part in (token, campaign, url))
    signature = base64.urlsafe_b64encode(hmac.digest(SECRET, data, hashlib.sha256)).rstrip(b"=").decode()
    query = urllib.parse.urlencode({"c": campaign, "s": signature, "t": token, "u": url})
    return f"{ORIGIN}/ahoy/click?{query}"


def mandrill(url: str) -> str:
    """As links of mandrillapp.com look: JSON in JSON, slashes escaped, a 20-byte signature, in base64."""
    host = urllib.parse.urlsplit(url).hostname
    facts = {"u": ACCOUNT, "v": 1, "url": url, "id": SEND_ID.hex, "url_ids": [hashlib.sha1(url.encode()).hexdigest()]}
    inner = json.dumps(facts, separators=(",", ":")).replace("/", "\\/")
    signature = base64.urlsafe_b64encode(hmac.digest(SECRET, inner.encode(), hashlib.sha1)).rstrip(b"=").decode()
    outer = json.dumps({"s": signature, "v": 1, "p": inner}, separators=(",", ":")).replace("/", "\\/")
    return f"{ORIGIN}/track/click/{ACCOUNT}/{host}?p={base64.urlsafe_b64encode(outer.encode()).rstrip(b'=').decode()}"


STYLES: dict[str, Callable[[str], str]] = {
    "waypost": waypost,
    "pytracking (not sealed)": pytracking_plain,
    "pytracking (Fernet)": pytracking_encrypted,
    "ahoy_email": ahoy_email,
    "Mandrill": mandrill,
}


def tracked_destinations(folder: Path) -> list[str]:
    return [
        link.destination
        for file in sorted(folder.rglob("*.html"))
        for link in plan(file.read_text(encoding="utf-8", errors="replace"), Policy()).links
        if link.decision == "tracked"
    ]


def summary(lengths: list[int]) -> dict[str, float]:
    return {
        "median": statistics.median(lengths),
        "p99": statistics.quantiles(lengths, n=100, method="inclusive")[98],
        "mean": round(statistics.mean(lengths), 1),
    }


def measure(urls: list[str]) -> dict[str, object]:
    over = [len(waypost(url)) - len(url) for url in urls]
    return {
        "destinations": len(urls),
        "short_form_bytes": {
            name: summary([min(size(url), len(url)) for url in urls]) for name, size in COMPRESSIONS.items()
        },
        "link_characters": {name: summary([len(link(url)) for url in urls]) for name, link in STYLES.items()},
        "waypost_characters_over_destination": summary(over),
    }


def show(name: str, measured: dict) -> None:
    print(f"\n{name}: {measured['destinations']} destinations")
    for title in ("short_form_bytes", "link_characters"):
        print(f"\n  {title.replace('_', ' '):36} {'median':>8} {'p99':>8} {'mean':>8}")
        for row, values in measured[title].items():
            print(f"  {row:36} {values['median']:8.0f} {values['p99']:8.0f} {values['mean']:8.1f}")
    over = measured["waypost_characters_over_destination"]
    print(f"\n  waypost over the destination: median {over['median']:.0f}, p99 {over['p99']:.0f} characters")


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--corpus", type=Path, metavar="FOLDER", help="messages, as .html files")
    corpus = parser.parse_args(arguments).corpus
    sets = {"mail URLs, unseen half": UNSEEN} | ({"messages": tracked_destinations(corpus)} if corpus else {})
    measured = {name: measure(urls) for name, urls in sets.items()}
    for name, figures in measured.items():
        show(name, figures)
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    RESULT.write_text(json.dumps(measured, indent=2) + "\n")
    failed = [
        name
        for name, figures in measured.items()
        if figures["waypost_characters_over_destination"]["median"] > LIMIT_OVER_DESTINATION
    ]
    if failed:
        raise SystemExit(f"P6 fails: median over the destination + {LIMIT_OVER_DESTINATION} characters in {failed}")


if __name__ == "__main__":
    main()
