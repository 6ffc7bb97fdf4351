"""Ways to write an address that webhooks must not reach, as attackers have written them; made by rules, not by hand."""

from ipaddress import IPv4Address, IPv6Address

# What each network is refused for stands in src/waypost/webhooks/address.py.
PRIVATE_V4 = (
    "127.0.0.1", "127.1.2.3", "127.255.255.254", "0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255", "172.16.0.1",
    "172.31.255.254", "192.168.0.1", "192.168.255.255", "169.254.169.254", "169.254.0.1", "100.64.0.1",
    "100.100.100.200", "100.127.255.255", "192.0.0.192", "192.0.2.1", "192.88.99.1", "198.18.0.1", "198.19.255.255",
    "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255", "168.63.129.16",
)  # fmt: skip
PRIVATE_V6 = (
    "::", "::1", "fe80::1", "febf::1", "fc00::1", "fd00:ec2::254", "fdff::1", "fec0::1", "ff02::1", "ff0e::1", "100::1",
    "2001:db8::1", "3fff::1", "2001::1", "2001:2::1", "2001:10::1", "5f00::1", "4000::1", "2600:1f00::5efe:7f00:1",
    "2600:1f00::200:5efe:a00:1",
)  # fmt: skip
# What many of the spellings below are made of.
FAVOURITES = ("127.0.0.1", "169.254.169.254", "10.0.0.1", "192.168.0.1", "0.0.0.0")


def numbers(address):
    """The spellings of `inet_aton`: one to four parts, each decimal, octal or hexadecimal, with zeros before it."""
    value = int(IPv4Address(address))
    octets = list(value.to_bytes(4, "big"))
    parts = [
        [value],
        [octets[0], value & 0xFFFFFF],
        [octets[0], octets[1], value & 0xFFFF],
        octets,
    ]
    forms = ("{:d}", "0{:o}", "000{:o}", "0x{:x}", "0X{:X}", "0x0000{:x}")
    for split in parts:
        for form in forms:
            yield ".".join(form.format(part) for part in split)
        # Mixed.
        yield ".".join(forms[index % len(forms)].format(part) for index, part in enumerate(split))
    # Truncated to 32 or 8 bits by some.
    yield str(value + 2**32)
    yield ".".join(str(octet + 256) for octet in octets)


def embedded(address):
    """IPv6 addresses that hold an IPv4 one."""
    value = int(IPv4Address(address))
    high, low = value >> 16, value & 0xFFFF
    yield from (
        f"::ffff:{address}", f"::ffff:{high:x}:{low:x}", f"0:0:0:0:0:ffff:{address}", f"::FFFF:{high:04X}:{low:04X}",
        f"::{address}", f"::{high:x}:{low:x}", f"::ffff:0:{address}", f"64:ff9b::{address}",
        f"64:ff9b::{high:x}:{low:x}", f"64:ff9b:1::{address}", f"2002:{high:x}:{low:x}::", f"2002:{high:x}:{low:x}::1",
        f"2001:0:{high:x}:{low:x}::1", f"2001::{~high & 0xFFFF:x}:{~low & 0xFFFF:x}", f"fe80::5efe:{address}",
    )  # fmt: skip


def long_form(address):
    return IPv6Address(address).exploded


def dressed(host):
    """A host, with what is put around hosts to deceive."""
    yield from (
        f"{host}.",
        f"{host}..",
        f"{host}%00",
        f"{host}%20",
        f"{host}%2e",
        f"{host}%2f",
        f"{host}\\@hooks.example",
        f"hooks.example\\@{host}",
        f"hooks.example@{host}",
        f"hooks.example:443@{host}",
        f"hooks.example%40{host}@{host}",
        f"a:b@c:d@{host}",
        f"hooks.example%2f@{host}",
        f"{host}#@hooks.example",
        f"{host}?@hooks.example",
        f"{host}/@hooks.example",
        f" {host}",
        f"{host}\t",
        f"\t{host}",
        f"{host}\n",
        f"{host}\r\nHost: x",
        f"{host}\x00",
        f"hooks.example#@{host}",
        f"hooks.example\t@{host}",
        f"@{host}",
        f":@{host}",
        f"[{host}]",
        f"{host}%25lo",
        host.replace(".", "\N{IDEOGRAPHIC FULL STOP}"),
        host.replace(".", "\N{FULLWIDTH FULL STOP}"),
        host.replace(".", "\N{HALFWIDTH IDEOGRAPHIC FULL STOP}"),
        host.replace(".", "%2e"),
        host.replace(".", "%E3%80%82"),
        "".join(f"%{ord(letter):02x}" for letter in host),
        host.translate({48 + n: 0xFF10 + n for n in range(10)}),
        host.translate({48 + n: 0x2460 + n - 1 for n in range(1, 10)}),
        host.replace(".", "\N{SOFT HYPHEN}."),
        host.replace(".", ".\N{ZERO WIDTH SPACE}"),
        host.replace(".", "\N{ONE DOT LEADER}"),
    )


def brackets(address):
    """An IPv6 address in a URL: plain, in full, in capitals, with a zone."""
    for each in (address, address.upper(), long_form(address), f"{address}%25lo", f"{address}%lo"):
        yield f"[{each}]"


LOCAL_NAMES = (
    "localhost",
    "LOCALHOST",
    "localhost.",
    "localhost".translate({code: code + 0xFEE0 for code in range(0x21, 0x7F)}),
    "lo%63alhost",
    "ip6-localhost",
    "ip6-loopback",
    "metadata",
    "instance-data",
    "host",
    "localtest",
    "0",
    "00",
    "0x0",
    "1",
    "",
    ".",
    "..",
    "[]",
    "[::]%00",
    "[::1]x",
    "[v1.::1]",
    "::1",
    "127.0.0.1:80:80",
)


# Written as receivers are: what they are is found out when they are asked for.
DOTTED_NAMES = ("localhost.localdomain", "metadata.google.internal", "kubernetes.default.svc", "router.home.arpa")


def hosts():
    """Every spelling, as it stands in a URL before the port; each once."""
    found = [*PRIVATE_V4, *(f"[{address}]" for address in PRIVATE_V6), *LOCAL_NAMES]
    for address in FAVOURITES:
        found += [*numbers(address), *dressed(address), *(f"[{each}]" for each in embedded(address))]
    for address in ("::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "fe80::1"):
        found += brackets(address)
    return list(dict.fromkeys(found))


def zone():
    """A zone whose names lead inside, and the names: whole answers, mixed ones, and by way of an alias."""
    records, names = [], []
    for number, address in enumerate([*PRIVATE_V4, *PRIVATE_V6, *embedded("127.0.0.1"), *embedded("10.0.0.1")]):
        kind = "AAAA" if ":" in address else "A"
        records += [f"n{number} {kind} {address}", f"mixed{number} A 8.8.8.8", f"mixed{number} {kind} {address}"]
        names += [f"n{number}", f"mixed{number}"]
    records += ["alias CNAME n0", "alias2 CNAME alias", "*.wild A 127.0.0.1", "four A 8.8.8.8", "four AAAA ::1"]
    names += ["alias", "alias2", "any.thing.wild", "127.0.0.1.wild", "four"]
    return "\n".join(records), names
