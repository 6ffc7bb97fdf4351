import pytest

from waypost.pipeline.refusal import insert_all
from waypost.store import StoreFailed, StoreRefused


class Shelf:
    """Holds even numbers."""

    def __init__(self):
        self.held = []
        self.inserts = 0

    def insert(self, rows):
        self.inserts += 1
        if any(row % 2 for row in rows):
            raise StoreRefused("insert", "odd")
        self.held += rows


@pytest.mark.parametrize(
    "rows",
    [[], [2], [1], [1, 2], [2, 1], [2, 4, 6], [1, 3, 5], [2, 4, 5, 6, 8], list(range(100))],
    ids=lambda rows: f"{len(rows)} rows, {sum(row % 2 for row in rows)} at fault",
)
def test_rows_at_fault_are_returned_and_the_others_stored_once_in_order(rows):
    shelf = Shelf()
    assert insert_all(shelf.insert, rows) == [row for row in rows if row % 2]
    assert shelf.held == [row for row in rows if not row % 2]


def test_one_row_at_fault_among_many_costs_a_logarithm_of_inserts():
    shelf = Shelf()
    insert_all(shelf.insert, [2] * 600 + [1] + [2] * 423)
    assert shelf.inserts == 21


def test_a_store_that_fails_is_not_taken_for_a_row_at_fault():
    def fail(_):
        raise StoreFailed("insert", "gone")

    with pytest.raises(StoreFailed):
        insert_all(fail, [1, 2])
