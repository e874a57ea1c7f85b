"""Pages are whole in themselves, and what they are made of is shown, not obeyed."""

from __future__ import annotations

import base64
import re
import xml.etree.ElementTree
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from grla.report.document import Link, Links, Page, Section, Shown, Table, Text
from grla.report.kinds.study_page import sections_of
from grla.report.pictures import Picture


def page(*blocks: Text | Table | Shown | Links) -> str:
    return Page("A <title>", "Why?", (Section("First part", tuple(blocks)), Section("Empty", ()))).html()


def test_sections_without_content_are_left_out() -> None:
    html = page(Text("Some **words**."))
    assert '<section id="first-part">' in html
    assert "<strong>words</strong>" in html
    assert "Empty" not in html
    assert "<title>A &lt;title&gt;</title>" in html


def test_tags_in_texts_and_tables_are_shown() -> None:
    frame = pd.DataFrame({"variant": ["<script>alert(1)</script>"], "dB": ["1.0"]})
    html = page(Text("reason: <img src=x> | 1 & 2"), Table(frame, "<b>"))
    assert not re.search(r"<script|<img", html)
    assert "1 &amp; 2" in html
    assert "<figcaption>&lt;b&gt;</figcaption>" in html


def test_marks_are_bold_and_underlined_and_words_stand_left() -> None:
    frame = pd.DataFrame({"variant": ["a", "b", "c"], "dB": ["3", "2", "1"], "verdict": ["**better**", "-", "-"]})
    html = page(Table(frame, "", {("a", "dB"): "best", ("b", "dB"): "second"}))
    assert "<td><b>3</b></td>" in html
    assert "<td><u>2</u></td>" in html
    assert '<td class="words" style="text-align: left">better</td>' in html


def test_a_figure_is_inline_in_the_smaller_format(tmp_path: Path) -> None:
    shown = Shown.figure(Picture("x", "A line.", (), lambda: Figure((1, 1))))
    kind, _, content = shown.source.partition(";base64,")
    assert kind == "data:image/png"  # an empty PNG is smaller than an SVG with its header
    assert base64.b64decode(content).startswith(b"\x89PNG")
    (tmp_path / "x.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    drawing = Shown.file(tmp_path / "x.svg", "drawing")
    xml.etree.ElementTree.fromstring(base64.b64decode(drawing.source.partition(",")[2]))
    html = page(shown, drawing)
    assert html.count('<img src="data:') == html.count("<img") == 2
    assert not re.search(r"(src|href)=\"(?!data:|#)", html)


def test_links_lead_to_pages_beside_it() -> None:
    assert '<a href="kernels.html">kernels</a><br>why' in page(Links((Link("kernels.html", "kernels", "why"),)))


def test_a_summary_falls_into_its_sections() -> None:
    parts = sections_of("# s: why?\n\n- one\n\nHow.\n\n## kernel\n\n| a |\n\n## Limits\n\n- b\n")
    assert parts == {"": "- one\n\nHow.", "kernel": "| a |", "Limits": "- b"}
