import pytest
from demo.product import Product, free_port
from demo.sink import Sink
from tests.acceptance.operator import Installation


@pytest.fixture(scope="module")
def sink():
    """The relay of a module's installations."""
    with Sink(free_port()) as sink:
        yield sink


@pytest.fixture(scope="module")
def installation(tmp_path_factory, sink):
    """Started once for the tests of a module; each uses recipients of its own."""
    product = Product(tmp_path_factory.mktemp("operator"), sink.port)
    try:
        product.start()
        yield Installation(product, sink)
    finally:
        product.stop()
