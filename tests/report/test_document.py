"""A document and its renderings: whole in themselves, and what they are made of is shown, not obeyed."""

from __future__ import annotations

import base64
import io
import re
import xml.etree.ElementTree
from math import nan
from pathlib import Path

import pandas as pd
import pytest
from matplotlib.figure import Figure as Drawing

from grla.report.document import Block, Document, Figure, Link, Links, Number, Picture, Section, Strong, Table, Text

LINE = Figure("line", "A line.", (), lambda: Drawing((1, 1)))


def page(*blocks: Block) -> str:
    return Document("A <title>", "Why?", (Section("First part", tuple(blocks)), Section("Empty", ()))).html()


@pytest.mark.parametrize(
    ("number", "text", "fields"),
    [
        (Number(2.345, ".1f"), "2.3", {"": "2.3"}),
        (Number(nan, ".1f"), "-", {}),
        (Number(float("inf"), ".1f"), "-", {}),
        (Number(1.5, ".2f", sd=0.204), "1.50 ± 0.20", {"": "1.50", "sd": "0.20"}),
        (Number(1.5, ".2f", sd=nan), "1.50", {"": "1.50"}),
        (Number(0.1, "+.1f", interval=(-0.2, 0.4)), "+0.1 [-0.2, +0.4]", {"": "+0.1", "low": "-0.2", "high": "+0.4"}),
        (Number(0.1, "+.3f", interval=(nan, nan)), "+0.100", {"": "+0.100"}),
        (Number(nan, "+.3f", interval=(nan, nan)), "-", {}),
    ],
)
def test_a_number_is_shown_and_split(number: Number, text: str, fields: dict[str, str]) -> None:
    assert (str(number), number.fields()) == (text, fields)


def test_numbers_stand_alone_in_csv() -> None:
    differences = [Number(0.1, "+.1f", interval=(-0.2, 0.4)), Number(0.1, "+.3f", interval=(nan, nan)), None]
    frame = pd.DataFrame(
        {
            "x dB": [Number(1.5, ".1f", 0.2), Number(2, ".1f"), None],
            "difference dB": differences,
            "n": pd.Series([1, 2, None], dtype=object),
            "verdict": [Strong("better", "; 1 of 2 failed"), "a, b", None],
        }
    )
    assert Table(frame).csv().splitlines() == [
        "x dB,x dB sd,difference dB,difference dB low,difference dB high,n,verdict",
        "1.5,0.2,+0.1,-0.2,+0.4,1,better; 1 of 2 failed",
        '2.0,,+0.100,,,2,"a, b"',
        ",,,,,,",
    ]
    assert list(pd.read_csv(io.StringIO(Table(frame).csv()))["x dB"])[:2] == [1.5, 2.0]


def test_latex_by_hand() -> None:
    difference = Number(-0.1, "+.1f", interval=(-0.2, 0.3))
    frame = pd.DataFrame(
        {"a-1": ["rbf_ridge (base)", "b & c"], "dB": [difference, None], "sure": [None, Strong("yes")]}
    )
    table = Table(frame, "a_b: 5 %", ("a-1", "sure"), {("b & c", "sure"): "best", ("rbf_ridge (base)", "dB"): "second"})
    assert table.latex().splitlines() == [
        r"\begin{table}",
        r"\centering",
        r"\caption{a\_b: 5 \%}",
        r"\begin{tabular}{lrl}",
        r"\toprule",
        r"a-1 & dB [95 \%] & sure \\",
        r"\midrule",
        r"rbf\_ridge (base) & \underline{$-$0.1 [$-$0.2, +0.3]} & - \\",
        r"b \& c & - & \textbf{yes} \\",
        r"\bottomrule",
        r"\end{tabular}",
        r"\end{table}",
    ]


def test_parts_stand_for_the_table_where_pages_are_narrow() -> None:
    frame = pd.DataFrame({"variant": ["a"], "dB": [1], "ms": [2]})
    parts = (Table(frame[["variant", "dB"]], "quality"), Table(frame[["variant", "ms"]], "costs"))
    table = Table(frame, "all", parts=parts)
    assert table.latex() == parts[0].latex() + "\n" + parts[1].latex()
    assert page(table).count("<table>") == 2
    assert table.markdown() == Table(frame).markdown()
    assert table.csv() == "variant,dB,ms\na,1,2\n"


def test_markdown_survives_bars_and_line_breaks_and_shows_what_is_strong() -> None:
    frame = pd.DataFrame({"a": ["x | y\nz"], "b": [Strong("better", "; but")]})
    lines = Table(frame, left=["a"]).markdown().splitlines()
    assert len(lines) == 3
    assert "x \\| y z" in lines[2]
    assert "**better**; but" in lines[2]
    assert re.fullmatch(r"\|:-+\|-+:\|", lines[1])


def test_a_summary_begins_without_a_heading_and_leaves_out_what_only_a_page_shows() -> None:
    sections = (
        Section("Verdicts", (Text("equal"),), summary=False),
        Section("Method", (Text("- one"), LINE, Text("How."))),
        Section("Figures", (LINE,)),
        Section("kernel", (Text("a"),), page=False),
        Section("Empty", ()),
    )
    document = Document("s, profile quick", "Why?", sections, "s: Why?")
    assert document.markdown() == "# s: Why?\n\n- one\n\nHow.\n\n## kernel\n\na\n"
    assert document.files() == {"summary.md": document.markdown()}
    assert re.findall("<h2>(.*?)</h2>", document.html()) == ["Verdicts", "Method", "Figures"]
    assert document.figures == [LINE, LINE]
    assert document["kernel"] == sections[3]
    assert document["none"].blocks == ()


def test_sections_without_content_are_left_out() -> None:
    html = page(Text("Some **words**."))
    assert '<section id="first-part">' in html
    assert "<strong>words</strong>" in html
    assert "Empty" not in html
    assert "<title>A &lt;title&gt;</title>" in html


def test_tags_in_texts_and_tables_are_shown() -> None:
    frame = pd.DataFrame({"variant": ["<script>alert(1)</script>"], "dB": ["1.0"]})
    html = page(Text("reason: <img src=x> | 1 & 2"), Table(frame, "<b>"))
    assert "<img" not in html
    assert html.count("<script") == page(Text("")).count("<script") == 1  # the page's own
    assert "&lt;script&gt;alert(1)" in html
    assert "1 &amp; 2" in html
    assert "<figcaption>&lt;b&gt;</figcaption>" in html


def test_marks_are_bold_and_underlined_and_words_stand_left() -> None:
    frame = pd.DataFrame({"variant": ["a", "b", "c"], "dB": [3, 2, 1], "verdict": [Strong("better"), None, "-"]})
    html = page(Table(frame, "", ("variant", "verdict"), {("a", "dB"): "best", ("b", "dB"): "second"}))
    assert "<td><b>3</b></td>" in html
    assert "<td><u>2</u></td>" in html
    assert '<td class="words" style="text-align: left">better</td>' in html


def test_a_figure_is_inline_in_the_smaller_format(tmp_path: Path) -> None:
    kind, _, content = LINE.source.partition(";base64,")
    assert kind == "data:image/png"  # an empty PNG is smaller than an SVG with its header
    assert base64.b64decode(content).startswith(b"\x89PNG")
    (tmp_path / "x.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    drawing = Picture(tmp_path / "x.svg", "drawing")
    xml.etree.ElementTree.fromstring(base64.b64decode(drawing.source.partition(",")[2]))
    html = page(LINE, drawing)
    assert html.count('<img src="data:') == html.count("<img") == 2
    assert not re.search(r"(src|href)=\"(?!data:|#)", html)


def test_links_lead_to_pages_beside_it() -> None:
    assert '<a href="kernels.html">kernels</a><br>why' in page(Links((Link("kernels.html", "kernels", "why"),)))


def test_a_notebook_shows_a_section_as_the_page_does() -> None:
    html = Section("A & b", (Text("Some **words**."), LINE))._repr_html_()
    assert html.startswith("<h3>A &amp; b</h3>")
    assert "<strong>words</strong>" in html
    assert '<img src="data:image/png' in html
