"""The parts of the table reader that need no picture: any grid comes back, any text is split as it was."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from omnidetective.embedded.placed_text import Placed, rows_of
from omnidetective.embedded.table_columns import column_grids, is_number
from omnidetective.embedded.table_grid import GridCell, grids
from omnidetective.embedded.table_pieces import split_text
from omnidetective.embedded.table_rules import Rule, Rules

TEXT_PX = 20.0


@st.composite
def walls(draw: st.DrawFn) -> tuple[list[float], list[float], set[tuple[int, int]]]:
    """Where lines are, and of which cells (in row 0) the right wall is left out."""
    widths = draw(st.lists(st.integers(40, 200), min_size=2, max_size=8))
    heights = draw(st.lists(st.integers(30, 80), min_size=2, max_size=12))
    lefts = [10.0 + sum(widths[:n]) for n in range(len(widths) + 1)]
    tops = [10.0 + sum(heights[:n]) for n in range(len(heights) + 1)]
    merged = draw(st.sets(st.integers(0, len(widths) - 2), max_size=2))
    return lefts, tops, {(0, column) for column in merged}


@given(walls(), st.floats(-2, 2))
@settings(max_examples=150)
def test_a_drawn_grid_comes_back_with_its_merged_cells(
    drawn: tuple[list[float], list[float], set[tuple[int, int]]], off_px: float
) -> None:
    lefts, tops, merged = drawn
    along = [Rule(top, lefts[0] + off_px, lefts[-1]) for top in tops]
    down = [Rule(left, tops[1] if (0, n - 1) in merged else tops[0], tops[-1] + off_px) for n, left in enumerate(lefts)]
    (grid,) = grids(Rules(tuple(along), tuple(down)), TEXT_PX)
    assert (grid.lefts, grid.tops) == (tuple(lefts), tuple(tops))
    expected = []
    column = 0
    while column < len(lefts) - 1:
        last = column
        while (0, last) in merged:
            last += 1
        expected.append(GridCell(0, column, 1, last - column + 1))
        column = last + 1
    expected += [GridCell(r, c) for r in range(1, len(tops) - 1) for c in range(len(lefts) - 1)]
    assert list(grid.cells) == expected


def test_lines_that_do_not_cross_make_no_grid() -> None:
    along = tuple(Rule(y, 0, 300) for y in (10.0, 60.0, 110.0))
    down = tuple(Rule(x, 400, 500) for x in (10.0, 100.0, 200.0))
    assert grids(Rules(along, down), TEXT_PX) == ()
    assert grids(Rules(along, ()), TEXT_PX) == ()


def test_a_table_that_is_open_at_its_sides_has_all_of_its_columns() -> None:
    along = tuple(Rule(y, 0, 300) for y in (10.0, 60.0, 110.0))
    down = tuple(Rule(x, 10, 110) for x in (100.0, 200.0))
    (grid,) = grids(Rules(along, down), TEXT_PX)
    assert (grid.rows, grid.columns, grid.lefts) == (2, 3, (0, 100.0, 200.0, 300))


WORD = st.text("abcdeghnopqrsuvxyz", min_size=1, max_size=9)


@given(st.lists(st.lists(WORD, min_size=1, max_size=3), min_size=2, max_size=5))
def test_a_line_is_split_where_the_shares_of_its_ink_say(parts: list[list[str]]) -> None:
    texts = [" ".join(words) for words in parts]
    widths = [sum(0.55 if char == " " else 1.0 for char in text) for text in texts]
    assert split_text(" ".join(texts), widths) == tuple(texts)


@given(st.text(max_size=40), st.lists(st.floats(1, 500), min_size=1, max_size=6))
def test_splitting_loses_no_letter(text: str, widths: list[float]) -> None:
    parts = split_text(text, widths)
    assert "".join("".join(parts).split()) == "".join(text.split())


def test_a_lost_space_is_no_hindrance() -> None:
    assert split_text("North1,204", (4.5, 4.2)) == ("North", "1,204")


@st.composite
def tabular(draw: st.DrawFn) -> tuple[list[list[Placed]], int]:
    """Text in rows and columns: names at the left, numbers at the right of theirs."""
    columns = draw(st.integers(2, 6))
    rows = draw(st.integers(3, 12))
    pieces: list[list[Placed]] = []
    for r in range(rows):
        top = 30.0 + 34 * r
        row = [Placed("Name" if r == 0 else draw(WORD), 40, top, 40 + draw(st.integers(20, 120)), top + TEXT_PX)]
        for c in range(1, columns):
            right = 160.0 + 110 * c
            text = f"Col {'abcdef'[c]}" if r == 0 else str(draw(st.integers(0, 99999)))
            row.append(Placed(text, right - draw(st.integers(12, 70)), top, right, top + TEXT_PX))
        pieces.append(row)
    return pieces, columns


@given(tabular(), st.randoms())
@settings(max_examples=100)
def test_columns_come_back_from_how_text_stands(table: tuple[list[list[Placed]], int], random: object) -> None:
    rows, columns = table
    pieces = [piece for row in rows for piece in row]
    random.shuffle(pieces)  # type: ignore[attr-defined]
    (grid,) = column_grids(pieces, clear=lambda box: True, headed=lambda found: False)
    assert (grid.rows, grid.columns) == (len(rows), columns)
    for n, row in enumerate(rows):
        for c, piece in enumerate(row):
            assert grid.tops[n] <= piece.down <= grid.tops[n + 1]
            assert grid.lefts[c] <= piece.across <= grid.lefts[c + 1]


@given(tabular())
@settings(max_examples=25)
def test_where_something_is_drawn_between_text_there_is_no_table(table: tuple[list[list[Placed]], int]) -> None:
    pieces = [piece for row in table[0] for piece in row]
    assert column_grids(pieces, clear=lambda box: False, headed=lambda found: True) == ()


def test_a_numbered_list_is_no_table() -> None:
    pieces = []
    for n in range(6):
        top = 30.0 + 34 * n
        pieces += [Placed(f"{n + 1}.", 40, top, 55, top + 20), Placed("12 eggs", 80, top, 160, top + 20)]
    assert column_grids(pieces, clear=lambda box: True, headed=lambda found: True) == ()


def test_rows_are_told_apart_and_in_order() -> None:
    right, left, below = Placed("b", 50, 2, 60, 22), Placed("a", 0, 0, 10, 20), Placed("c", 0, 30, 10, 50)
    assert rows_of([below, right, left]) == [[left, right], [below]]


def test_numbers_are_told_from_words() -> None:
    assert all(map(is_number, ("1,204", "$48,160", "+12 %", "08:15", "24.6 km", "555-0143", "(3.5)")))
    assert not any(map(is_number, ("Total", "r11", "A 007", "12 monkeys came along", "", "—")))
