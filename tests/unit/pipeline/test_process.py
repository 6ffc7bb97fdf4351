import pytest

from waypost.pipeline.process import Source, _seconds
from waypost.store import StoreFailed


class Tap:
    """Does what it is told, call by call."""

    def __init__(self, *results):
        self._results = iter(results)

    def __call__(self):
        result = next(self._results)
        if isinstance(result, Exception):
            raise result
        return result


def test_a_source_that_fails_is_tried_again_and_logged_once_even_if_it_is_a_bug(caplog):
    source = Source("spool", Tap(ZeroDivisionError("a bug"), StoreFailed("insert", "gone"), 3))
    assert [source.attempt() for _ in range(3)] == [0, 0, 3]
    assert source.failures == 0
    assert [record.levelname for record in caplog.records] == ["ERROR", "WARNING"]
    assert "a bug" in caplog.text


@pytest.mark.parametrize(
    ("poll", "failures", "expected"),
    [(0.2, 0, 0.2), (0.2, 1, 0.4), (0.2, 3, 1.6), (0.2, 4, 2.0), (0.2, 5000, 2.0), (10.0, 0, 10.0), (10.0, 3, 10.0)],
)
def test_pauses_grow_with_failures_up_to_two_seconds_and_are_never_below_the_poll(poll, failures, expected):
    assert _seconds(poll, (Source("a", int), Source("b", int, failures))) == pytest.approx(expected)
