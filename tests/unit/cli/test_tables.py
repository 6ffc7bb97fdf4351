"""Tables of the command line."""

from waypost.cli.tables import table_lines


def test_columns_are_aligned_and_two_spaces_apart():
    assert list(table_lines(("ID", "NAME"), [("1", "a"), ("1000", "")])) == ["ID    NAME", "1     a", "1000"]


def test_numbers_stand_to_the_right():
    lines = list(
        table_lines(("WORKER", "KEPT", "LOST"), [("edge-0", "1,000", "0"), ("edge-10", "2", "0")], numbers=True)
    )
    assert lines == ["WORKER    KEPT  LOST", "edge-0   1,000     0", "edge-10      2     0"]


def test_what_a_stranger_wrote_neither_breaks_the_table_nor_turns_the_line_around():
    """A tenant names his keys and profiles, and says why he blocks; an operator lists them."""
    assert list(table_lines(("NAME", "X"), [("a\nb\x1b[2J\u202e", "y")])) == [
        "NAME               X",
        r"a\nb\x1b[2J\u202e  y",
    ]
