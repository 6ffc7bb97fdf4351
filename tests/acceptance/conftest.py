import pytest
from demo.product import Product
from demo.sink import Sink
from tests.acceptance.operator import Installation
from tests.ports import free_ports


@pytest.fixture(scope="module")
def sink():
    """The relay of a module's installations."""
    with Sink(*free_ports(1)) as sink:
        yield sink


@pytest.fixture(scope="module")
def installation(tmp_path_factory, sink):
    """Started once for the tests of a module; each uses recipients of its own."""
    product = Product(tmp_path_factory.mktemp("operator"), sink.port, ports=free_ports(3))
    try:
        product.start()
        yield Installation(product, sink)
    finally:
        product.stop()
