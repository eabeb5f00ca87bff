"""What the embedded writer tells of tables and of code, and that it tells their text once."""

from __future__ import annotations

from detective.cases import make_case, seen_by

from omnidetective.captions.markup import find_marks
from omnidetective.captions.quote_marks import quotation_spans
from omnidetective.detective.writer import write
from omnidetective.evidence import TextCard, TextEvidence
from omnidetective.page_evidence import CodeBlock, CodeEvidence, Definition, Table, TableCell, TableEvidence

BOX = (0.1, 0.2, 0.9, 0.8)
CODE = 'import math\n\n# *Not* a heading.\ndef area(r):\n    return math.pi * r ** 2  # "round"'


def table(*rows: tuple[str, ...], header_rows: int = 1, page: int | None = None) -> Table:
    cells = tuple(TableCell(row=r, column=c, text=text) for r, row in enumerate(rows) for c, text in enumerate(row))
    return Table(
        rows=len(rows), columns=len(rows[0]), cells=cells, header_rows=header_rows, ruled=True, box=BOX, page=page
    )


def told(*tables: Table) -> str:
    case = make_case(seen_by("tables", TableEvidence(tables=tables)), modality="image")
    return write(case).caption.removeprefix("This is a landscape still image. ")


def block(text: str = CODE, **more: object) -> CodeBlock:
    return CodeBlock.model_validate({"language": "Python", "text": text, "box": BOX, **more})


def written(*blocks: CodeBlock) -> str:
    case = make_case(seen_by("code", CodeEvidence(blocks=blocks)), modality="image")
    return write(case).caption.removeprefix("This is a landscape still image. ")


def test_a_table_is_told_row_by_row_under_the_names_of_its_columns() -> None:
    assert told(table(("City", "Rain", "Sun"), ("Oslo", "3 mm", "8 h"), ("Rome", "", "11 h"))) == (
        "A table of two rows and three columns headed “City”, “Rain” and “Sun” is shown: "
        "Oslo: Rain 3 mm, Sun 8 h; Rome: Sun 11 h."
    )


def test_without_a_head_the_texts_stand_alone_and_a_page_is_named() -> None:
    assert told(table(("Oslo", "3"), ("Rome", "9"), header_rows=0, page=2)) == (
        "On page 2, a table of two rows and two columns is shown: Oslo, 3; Rome, 9."
    )


def test_the_names_of_columns_under_a_merged_head_are_whole() -> None:
    cells = (
        TableCell(row=0, column=0, text="City", row_span=2),
        TableCell(row=0, column=1, text="Days", column_span=2),
        TableCell(row=1, column=1, text="wet"),
        TableCell(row=1, column=2, text="dry"),
        TableCell(row=2, column=0, text="Oslo"),
        TableCell(row=2, column=1, text="11"),
        TableCell(row=2, column=2, text="19"),
    )
    merged = Table(rows=3, columns=3, cells=cells, header_rows=2, ruled=True, box=BOX)
    assert told(merged) == (
        "A table of one row and three columns headed “City”, “Days wet” and “Days dry” is shown: "
        "Oslo: Days wet 11, Days dry 19."
    )


def test_of_a_long_table_the_first_rows_are_told_and_how_many_follow() -> None:
    rows = [(f"Item {n}", str(n)) for n in range(100)]
    caption = told(table(("Name", "Number"), *rows))
    assert "A table of 100 rows" in caption
    assert caption.endswith("Item 19: Number 19; 80 more rows follow.")


def test_code_is_told_by_what_it_is_and_then_quoted_to_the_letter() -> None:
    definitions = (Definition(kind="function", name="area", line=4), Definition(kind="class", name="Shape", line=9))
    definitions += (Definition(kind="class", name="Ring", line=12),)
    caption = written(block(file="main.py", definitions=definitions, imports=("math",)))
    assert caption == (
        "Python code (5 lines) from “main.py” defines the function “area” and the classes “Shape” and “Ring” and "
        "imports “math”. The code reads: “" + CODE.replace("\n\n", "\n") + "”."
    )


def test_quoted_code_is_one_quotation_in_which_nothing_is_markup() -> None:
    caption = written(block())
    start, end = quotation_spans(caption)[-1]
    assert caption[start:end] == "“" + CODE.replace("\n\n", "\n") + "”"
    assert find_marks(caption) == ()


def test_long_code_is_shortened_and_that_is_said() -> None:
    caption = written(block("\n".join(f"value_{n} = {n}" for n in range(500))))
    assert "Python code (500 lines) is shown. The first 60 of its lines read: “value_0 = 0" in caption
    assert "value_60" not in caption


def test_text_in_a_table_or_in_code_is_not_told_twice() -> None:
    cards = (
        TextCard(text="Rain by city", box=(0.1, 0.05, 0.5, 0.1), score=1.0),
        TextCard(text="Oslo 3 mm", box=(0.2, 0.4, 0.6, 0.45), score=1.0),
    )
    case = make_case(
        seen_by("ocr", TextEvidence(cards=cards, frames_read=1)),
        seen_by("tables", TableEvidence(tables=(table(("City", "Rain"), ("Oslo", "3 mm")),))),
        modality="image",
    )
    caption = write(case).caption
    assert "“Rain by city”" in caption
    assert "“Oslo 3 mm”" not in caption
    other_page = make_case(
        seen_by("ocr", TextEvidence(cards=cards, frames_read=1)),
        seen_by("tables", TableEvidence(tables=(table(("City", "Rain"), ("Oslo", "3 mm"), page=2),))),
        modality="image",
    )
    assert "“Oslo 3 mm”" in write(other_page).caption


def test_the_tab_with_the_name_of_the_file_is_not_told_twice() -> None:
    cards = (TextCard(text="main.py", box=(0.1, 0.05, 0.2, 0.1), score=1.0),)
    case = make_case(
        seen_by("ocr", TextEvidence(cards=cards, frames_read=1)),
        seen_by("code", CodeEvidence(blocks=(block(file="main.py"),))),
        modality="image",
    )
    assert write(case).caption.count("main.py") == 1
