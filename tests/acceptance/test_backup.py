"""What docs/backup.md tells an operator to type brings an install back."""

import shutil
from pathlib import Path

from demo import readers
from demo.api import Api
from tests.acceptance.guide import blocks, shell
from tests.acceptance.operator import SENDER, eventually

GUIDE = (Path(__file__).parents[2] / "docs" / "backup.md").read_text()
COPY, PUT_BACK = blocks(GUIDE, "sh")
HTML = '<a href="https://www.shop.example/order">Your order</a>'


def type_in(script: str, folder: Path) -> None:
    done = shell(script, folder)
    assert done.returncode == 0, done.stderr


def test_links_accounts_and_queue_come_back_from_a_copy_that_was_made_while_it_ran(installation, tmp_path):
    product, data = installation.product, installation.product.data
    (tmp_path / "waypost-data").symlink_to(data)
    _, [link] = installation.send("reader@inbox.example", HTML)
    type_in(COPY, tmp_path)

    product.stop()
    shutil.rmtree(data)
    (tmp_path / "waypost-data").unlink()
    type_in(PUT_BACK, tmp_path)
    (tmp_path / "waypost-data").rename(data)
    product.start()

    assert readers.request(link, "127.0.0.9", {}).location == "https://www.shop.example/order"
    api = Api(product.origin, *installation.credentials)
    body = {"recipient_email_address": "later@inbox.example", "from_email_address": SENDER, "subject": "Hello"}
    api.post("/api/v1/email/send", body | {"content_html": HTML, "click_tracking": True})
    eventually(lambda: "later@inbox.example" in installation.sink.delivered)
