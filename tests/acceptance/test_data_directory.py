"""What `waypost up` makes, keeps and refuses."""

import stat

import pytest
from demo import readers
from demo.api import Api
from demo.product import NotReadyError, Product
from tests.acceptance.operator import Installation, eventually
from tests.ports import free_ports

HTML = '<a href="https://www.shop.example/">Shop</a>'


@pytest.fixture
def product(tmp_path, sink):
    product = Product(tmp_path, sink.port, ports=free_ports(3))
    yield product
    product.stop()


def test_a_restart_keeps_data_keys_and_clicks_that_waited(product, sink):
    product.start()
    installation = Installation(product, sink)
    send_id, [link] = installation.send("restart@inbox.example", HTML)
    keyring = (product.data / "keyring.json").read_bytes()
    assert readers.request(link, "127.0.0.5", {}).status == 302
    product.stop()
    product.start()
    assert (product.data / "keyring.json").read_bytes() == keyring
    assert readers.request(link, "127.0.0.6", {}).location == "https://www.shop.example/"
    installation.api = Api(product.origin, *installation.credentials)
    eventually(lambda: len(installation.clicks(send_id)) >= 2)
    assert [event["ip"] for event in installation.clicks(send_id)] == ["127.0.0.5", "127.0.0.6"]


class CoreEndedError(Exception):
    """The core ended and is to be started again."""


def test_links_redirect_while_the_core_cannot_start(product, sink):
    product.start()
    _, [link] = Installation(product, sink).send("refused@inbox.example", HTML)
    product.stop()
    (product.data / "control.key").unlink()

    def tell(line):
        if line.startswith("core") and "starts again" in line:
            raise CoreEndedError

    with pytest.raises(CoreEndedError):
        product.start(tell)
    assert readers.request(link, "127.0.0.5", {}).location == "https://www.shop.example/"


def test_the_core_does_not_start_with_an_old_copy_of_the_keyring_and_links_of_its_keys_redirect(product, sink):
    product.start()
    _, [link] = Installation(product, sink).send("old@inbox.example", HTML)
    data = ("--data", str(product.data), "--config", str(product.config))
    keyring = product.data / "keyring.json"
    old = keyring.read_bytes()
    product.command("keys", "add", "--mint", *data)
    newest = keyring.read_bytes()
    product.command("block", "add", "host", "evil.example", "--reason", "phishing", *data)
    product.stop()
    published = (product.data / "snapshot").read_bytes()

    def tell(line):
        if line.startswith("core") and "starts again" in line:
            raise CoreEndedError

    keyring.write_bytes(old)
    with pytest.raises(CoreEndedError):
        product.start(tell)
    assert "it lacks key 2" in product.log.read_text()
    assert readers.request(link, "127.0.0.5", {}).location == "https://www.shop.example/"
    assert (product.data / "snapshot").read_bytes() == published
    keyring.write_bytes(newest)
    assert any(line.startswith("Ready") for line in product.process.stdout)


def test_the_first_start_prints_the_operator_s_credential_and_no_other_does(product, tmp_path):
    first, second = [], []
    product.start(first.append)
    product.stop()
    assert stat.S_IMODE(product.data.stat().st_mode) == 0o700
    assert sum("secret  " in line for line in first) == 1
    assert any("waypost keys export" in line for line in first)
    product.command("keys", "export", str(tmp_path / "copy.json"), "--data", str(product.data))
    product.start(second.append)
    assert not any("secret  " in line for line in second)
    assert not any("waypost keys export" in line for line in second)


def test_a_second_one_on_the_same_data_is_refused(product, tmp_path, sink):
    product.start()
    with pytest.raises(NotReadyError, match=r"waypost already runs on .* \(process \d+\)"):
        Product(tmp_path, sink.port, ports=free_ports(3)).start()


def test_ports_that_another_installation_has_are_refused(product, tmp_path, sink):
    """Edges share their port: half of the readers would meet an edge without the key of their link."""
    product.start()
    (tmp_path / "other").mkdir()
    other = Product(tmp_path / "other", sink.port, ports=free_ports(3))
    other.config.write_text(other.config.read_text().replace(f":{other.edge_port}", f":{product.edge_port}"))
    with pytest.raises(NotReadyError, match=f"in use: 127.0.0.1:{product.edge_port}. Give edge.listen another"):
        other.start()
    assert not other.data.exists()


def test_a_keyring_missing_beside_data_is_not_replaced(product):
    product.start()
    product.stop()
    (product.data / "keyring.json").unlink()
    with pytest.raises(NotReadyError, match="Put your copy back"):
        product.start()
    assert not (product.data / "keyring.json").exists()
