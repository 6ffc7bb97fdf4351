import pytest

from waypost.store import EventStore, StoreUrlInvalid


@pytest.mark.parametrize("url", ["postgresql://user:secret@host/db", "http://host:8123", "file:///tmp/x"])
def test_a_url_that_names_no_store_is_refused_without_showing_its_password(tmp_path, url):
    with pytest.raises(StoreUrlInvalid) as caught:
        EventStore.open(url, tmp_path)
    assert caught.value.scheme in str(caught.value)
    assert "secret" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []
