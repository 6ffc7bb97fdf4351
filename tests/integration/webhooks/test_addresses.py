"""Webhooks reach the Internet and nothing else (S5): hundreds of spellings, and a socket that nobody connects to."""

import asyncio
import contextlib
import socket
import ssl
from ipaddress import ip_address, ip_network

import pytest
from tests.integration.webhooks.bypass import DOTTED_NAMES, hosts, zone

from waypost.config.values import Resolver
from waypost.db.states import AttemptOutcome
from waypost.webhooks.connect import Guard, Names
from waypost.webhooks.errors import RefusedAddressError, TargetError, UnknownNameError
from waypost.webhooks.sender import Sender
from waypost.webhooks.target import REFUSED_PORTS, Target, read_target

SPELLINGS = hosts()
ZONE, NAMES = zone()


@pytest.fixture(scope="module")
def listening():
    """A socket on every address of this machine; `accepted()` says how many connected."""
    with socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True, backlog=64) as server:
        server.settimeout(0)

        def accepted():
            found = 0
            with contextlib.suppress(BlockingIOError):
                while True:
                    server.accept()[0].close()
                    found += 1
            return found

        yield server.getsockname()[1], accepted


def sender(resolve):
    return Sender(resolve, (), ssl.create_default_context(), seconds=60)


@pytest.fixture
def names(knot):
    knot.serve({"inside.test": ZONE})
    return Names([Resolver.parse(knot.resolver)])


def post(resolve, *targets):
    async def all_of_them():
        sending = sender(resolve)
        answers = [await sending.post(target, {}, b"{}") for target in targets]
        sending.close()
        return answers

    return asyncio.run(all_of_them())


def test_there_are_more_than_three_hundred_spellings():
    assert len(SPELLINGS) >= 300


def test_the_socket_would_notice(listening):
    port, accepted = listening
    for address in ("127.0.0.1", "::1", "0.0.0.0"):
        socket.create_connection((address, port)).close()
    assert accepted() == 3


@pytest.mark.parametrize("host", SPELLINGS, ids=ascii)
def test_no_spelling_is_taken_for_a_receiver(host, listening):
    port, _ = listening
    for url in (f"https://{host}:{port}/", f"https://{host}", f"http://{host}:{port}/", f"HTTPS:\\\\{host}:{port}/"):
        with contextlib.suppress(TargetError):
            target = read_target(url)
            assert target.host == "hooks.example", target  # the address was only in the path


def test_no_spelling_connects_even_when_it_was_taken(listening, names):
    """Past the first check: whatever the host, it is resolved by DNS alone and judged as an address."""
    port, accepted = listening
    targets = [
        Target(secure, host.strip("[]"), port, "/")
        for host in (*SPELLINGS, *DOTTED_NAMES)
        for secure in (True, False)
        if host.strip("[]") and host.isascii() and host.isprintable()
    ]

    answers = post(names, *targets)

    assert len(answers) > 400
    assert {answer.outcome for answer in answers} <= {
        AttemptOutcome.REFUSED, AttemptOutcome.UNREACHABLE, AttemptOutcome.BROKEN
    }  # fmt: skip
    assert accepted() == 0


def test_no_name_that_leads_inside_is_connected_to(listening, names):
    port, accepted = listening
    targets = [read_target(f"https://{name}.inside.test:{port}/") for name in NAMES]

    answers = post(names, *targets)

    assert [answer.outcome for answer in answers] == [AttemptOutcome.REFUSED] * len(NAMES)
    assert accepted() == 0
    assert not [answer for answer in answers if any(char.isdigit() for char in answer.error.partition(" ")[2])], (
        "which address it was is not told"
    )


def test_a_name_without_an_address_is_said_to_be_one(names):
    [answer] = post(names, read_target("https://nothing.inside.test/"))
    assert answer.outcome is AttemptOutcome.UNREACHABLE
    assert "nothing.inside.test" in answer.error


class Noting:
    """Connects to nothing, and remembers where to."""

    def __init__(self):
        self.connected = []

    async def __call__(self, address, port):
        self.connected.append((str(address), port))
        return object()


def guarded(resolve):
    noting = Noting()
    return Guard(resolve, (), ssl.create_default_context(), noting), noting.connected


def reach(guard, host, port, *, secure=True):
    return asyncio.run(guard.reach(host, port, secure=secure))


def test_what_was_judged_is_connected_to_whatever_the_name_leads_to_next():
    """Rebinding: the name is asked once, and the answer is the address that is connected to."""
    answers = [["8.8.8.8"], ["127.0.0.1"], ["127.0.0.1"]]

    async def resolve(_host):
        return [ip_address(each) for each in answers.pop(0)]

    guard, connected = guarded(resolve)
    reach(guard, "hooks.example", 443)
    assert connected == [("8.8.8.8", 443)]
    assert len(answers) == 2
    with pytest.raises(RefusedAddressError):
        reach(guard, "hooks.example", 443)
    assert len(connected) == 1


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700:4700::1111", "2001:4860:4860::8888", "100.63.255.255"])
def test_addresses_of_the_internet_are_connected_to(address):
    guard, connected = guarded(None)
    reach(guard, address, 443)
    assert connected == [(address, 443)]


def test_plain_http_goes_to_private_networks_that_were_allowed_only():
    guard, connected = guarded(None)
    with pytest.raises(RefusedAddressError):
        reach(guard, "8.8.8.8", 80, secure=False)
    assert connected == []


def test_a_resolver_that_is_silent_is_nobodys_address():
    (silent := socket.socket(socket.AF_INET, socket.SOCK_DGRAM)).bind(("127.0.0.1", 0))
    with silent:
        names = Names([Resolver.parse(f"127.0.0.1:{silent.getsockname()[1]}")])
        with pytest.raises(UnknownNameError):
            asyncio.run(names("hooks.example"))


@pytest.mark.parametrize(
    ("url", "host", "port", "path", "credentials"),
    [
        ("https://hooks.example", "hooks.example", 443, "/", ""),
        ("https://Hooks.Example:8443/in?a=1", "hooks.example", 8443, "/in?a=1", ""),
        ("https://us%40er:p%3Ass@hooks.example/in", "hooks.example", 443, "/in", "us@er:p:ss"),
        ("https://xn--bcher-kva.example/", "xn--bcher-kva.example", 443, "/", ""),
        ("https://8.8.8.8/", "8.8.8.8", 443, "/", ""),
        ("https://[2606:4700::1111]/", "2606:4700::1111", 443, "/", ""),
        ("https://[2606:4700:0::1111]:444/", "2606:4700::1111", 444, "/", ""),
        ("https://hooks.example/in@127.0.0.1/", "hooks.example", 443, "/in@127.0.0.1/", ""),
    ],
)
def test_a_receivers_url_is_read_and_written_back(url, host, port, path, credentials):
    target = read_target(url)
    assert (target.host, target.port, target.path, target.credentials) == (host, port, path, credentials)
    again = read_target(target.url)
    assert (again.host, again.port, again.path, again.credentials) == (host, port, path, "")


@pytest.mark.parametrize(
    "url",
    [
        "", "hooks.example", "//hooks.example/", "ftp://hooks.example/", "file:///etc/passwd",
        "http://hooks.example/", "https://hooks.example/#x", "https://hooks.example:0/",
        "https://hooks.example:65536/", "https://hooks.example:x/", "https://bücher.example/",
        "https://hooks.example/ü", "https://hooks .example/", "https://us:er:x\0@hooks.example/",
        "https://hooks.example/" + "x" * 2048, "https://x%0ay:z@hooks.example/", "gopher://127.0.0.1:25/",
        "https:hooks.example",
        *(f"https://hooks.example:{port}/" for port in sorted(REFUSED_PORTS)),
    ],
    ids=ascii,
)  # fmt: skip
def test_what_no_webhook_may_go_to_is_refused(url):
    with pytest.raises(TargetError):
        read_target(url)


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:9000/in", "https://127.0.0.1:9000/in", "http://localhost:9000/in", "https://localhost/in"]
)
def test_a_refusal_names_the_setting_that_allows_a_receiver_on_this_machine(url):
    with pytest.raises(TargetError, match=r"setting webhooks\.private_networks allows"):
        read_target(url)


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_with_networks_allowed_localhost_is_named_by_its_address(scheme):
    allowed = (ip_network("127.0.0.0/8"),)
    with pytest.raises(TargetError, match=r"by its address, as 127\.0\.0\.1,"):
        read_target(f"{scheme}://localhost:9000/in", allowed)
    assert read_target(f"{scheme}://127.0.0.1:9000/in", allowed).port == 9000
