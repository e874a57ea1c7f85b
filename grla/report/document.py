"""What a report says before it has a format: a document of sections of texts, tables of values, figures and links.

Everything else is a rendering of it: Markdown for summary.md, CSV and LaTeX of each table, an HTML page that loads
nothing from elsewhere, and cells of a notebook.
"""

from __future__ import annotations

import base64
import math
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import markdown
import matplotlib.figure
import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from grla.report.figures.canvas import rendered
from grla.report.statistics.verdicts import Mark

TEMPLATES = Path(__file__).parent / "templates"
ENVIRONMENT = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined)
TYPES = {"svg": "image/svg+xml", "png": "image/png"}
EMPTY = "-"
INTERVAL = " [95 %]"
"""Ends the heading of a column of numbers with intervals."""
LATEX_MARKS = {"best": r"\textbf{%s}", "second": r"\underline{%s}", "": "%s"}
LATEX = str.maketrans(
    {character: f"\\{character}" for character in "#$%&_{}"}
    | {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
)

Marks = Mapping[tuple[str, str], Mark]
"""From the text of a row's first cell and the name of a column to the mark of the cell there."""


@dataclass(frozen=True)
class Number:
    """A number and its format, with its sd ("1.50 ± 0.20") or its interval ("+0.10 [-0.20, +0.40]") if it has one.

    NaN is what was not measured; infinity is shown like it.
    """

    value: float
    format: str
    sd: float = math.nan
    interval: tuple[float, float] | None = None

    def fields(self) -> dict[str, str]:
        """One number a field: "" names the number itself, then come "sd", or "low" and "high"; those not known lack."""
        further = {"sd": self.sd} if self.interval is None else dict(zip(("low", "high"), self.interval, strict=True))
        known = {name: value for name, value in {"": self.value, **further}.items() if math.isfinite(value)}
        forms = {name: self.format.lstrip("+") if name == "sd" else self.format for name in known}  # an sd has no sign
        return {name: format(value, forms[name]) for name, value in known.items()} if "" in known else {}

    def __str__(self) -> str:
        fields = self.fields()
        if "sd" in fields:
            return f"{fields['']} ± {fields['sd']}"
        if "low" in fields:
            return f"{fields['']} [{fields['low']}, {fields['high']}]"
        return fields.get("", EMPTY)


@dataclass(frozen=True)
class Strong:
    """Words that stand out, and plain ones after them."""

    words: str
    rest: str = ""

    def __str__(self) -> str:
        return self.words + self.rest

    def markdown(self) -> str:
        """The words in bold."""
        return f"**{self.words}**{self.rest}"


class Block:
    """A part of a section. A notebook shows it as a page does."""

    def markdown(self) -> str:
        """The block in summary.md; "" for what only a page shows."""
        return ""

    def html(self) -> Markup:
        """The block in a page."""
        return Markup(ENVIRONMENT.get_template("block.html").render(kind=type(self).__name__, block=self))

    def _repr_html_(self) -> Markup:
        return self.html()


@dataclass(frozen=True)
class Text(Block):
    """Markdown, tables included."""

    text: str

    def markdown(self) -> str:
        """The text itself."""
        return self.text

    @property
    def content(self) -> Markup:
        """The text as HTML. Tags in it are shown, not obeyed: reasons of failures are anybody's words."""
        plain = self.text.replace("&", "&amp;").replace("<", "&lt;")
        return Markup(markdown.markdown(plain, extensions=["tables"]))


@dataclass(frozen=True)
class Table(Block):
    """A frame of values: text, `Number`, `Strong`, whole numbers; None or NaN is what is not known.

    The columns in `left` hold words and are aligned left, the others right. With a `file` name the table is also
    written as CSV and LaTeX. `parts` are tables that LaTeX and pages show in its place: some of its columns each.
    """

    frame: pd.DataFrame
    caption: str = ""
    left: Collection[str] = ()
    marks: Marks = field(default_factory=dict)
    file: str = ""
    parts: tuple[Table, ...] = ()

    @property
    def headings(self) -> dict[str, str]:
        """Each column's heading as it is shown, by its name."""
        return {
            str(name): f"{name}{INTERVAL}" if any(_has_interval(cell) for cell in cells) else str(name)
            for name, cells in self.frame.items()
        }

    @property
    def rows(self) -> list[list[tuple[str, str, str]]]:
        """Each row as cells (text, mark or "", column)."""
        return [[(_text(cell), mark, name) for cell, mark, name in row] for row in self._cells()]

    def markdown(self) -> str:
        """The table without its caption."""
        texts = self.frame.map(_markdown).rename(columns=self.headings)
        alignment = ["left" if name in self.left else "right" for name in self.frame]
        return str(texts.to_markdown(index=False, disable_numparse=True, colalign=alignment))

    def html(self) -> Markup:
        """The table, or its parts, with captions."""
        return Markup("").join(part.html() for part in self.parts) if self.parts else super().html()

    def csv(self) -> str:
        """One number a field: an sd or the ends of an interval have columns of their own; unknown cells are empty."""
        columns: dict[str, list[str]] = {}
        for name, heading in self.headings.items():
            cells = [_fields(cell) for cell in self.frame[name]]
            further = list(dict.fromkeys(part for cell in cells for part in cell if part))
            columns[name if further else heading] = [cell.get("", "") for cell in cells]
            columns |= {f"{name} {part}": [cell.get(part, "") for cell in cells] for part in further}
        return pd.DataFrame(columns).to_csv(index=False)

    def latex(self) -> str:
        """The table, or its parts, for the package booktabs."""
        if self.parts:
            return "\n".join(part.latex() for part in self.parts)
        # An empty column has no words.
        words = {name for name, cells in self.frame.items() if name in self.left and any(map(_fields, cells))}
        alignment = "".join("l" if name in words else "r" for name in self.frame)
        rows = [[LATEX_MARKS[mark] % _latex(cell) for cell, mark, _ in row] for row in self._cells()]
        head = [heading.translate(LATEX) for heading in self.headings.values()]
        lines = [
            *(r"\begin{table}", r"\centering", rf"\caption{{{self.caption.translate(LATEX)}}}"),
            *(rf"\begin{{tabular}}{{{alignment}}}", r"\toprule", rf"{' & '.join(head)} \\", r"\midrule"),
            *(rf"{' & '.join(row)} \\" for row in rows),
            *(r"\bottomrule", r"\end{tabular}", r"\end{table}"),
        ]
        return "\n".join(lines) + "\n"

    def _cells(self) -> list[list[tuple[object, str, str]]]:
        """Each row as cells (value, mark or "", column)."""
        return [
            [
                (cell, self.marks.get((_text(row[0]), str(name)), ""), str(name))
                for name, cell in zip(self.frame, row, strict=True)
            ]
            for row in self.frame.itertuples(index=False, name=None)
        ]


@dataclass(frozen=True)
class Figure(Block):
    """A figure by file name (without suffix): what it shows in a sentence, its data, and how it is drawn."""

    name: str
    caption: str
    data: tuple[pd.DataFrame, ...]
    draw: Callable[[], matplotlib.figure.Figure]

    @property
    def source(self) -> str:
        """The figure, drawn now, as a data URI; of SVG and PNG the one that is smaller."""
        drawn = self.draw()
        contents = {suffix: rendered(drawn, suffix) for suffix in TYPES}
        suffix = min(contents, key=lambda name: len(contents[name]))
        return data_uri(contents[suffix], suffix)


@dataclass(frozen=True)
class Picture(Block):
    """A PNG or SVG file as it lies in a folder."""

    path: Path
    caption: str

    @property
    def source(self) -> str:
        """The file as a data URI."""
        return data_uri(self.path.read_bytes(), self.path.suffix[1:])


@dataclass(frozen=True)
class Link:
    """A line of an index: an address relative to the page, its title, and a few words on it."""

    address: str
    title: str
    text: str


@dataclass(frozen=True)
class Links(Block):
    """A list of links to other pages beside this one."""

    links: tuple[Link, ...]


@dataclass(frozen=True)
class Section:
    """A heading and what stands under it, from top to bottom; where there is nothing the section is left out.

    `page` and `summary` say whether it stands in the HTML page and in summary.md.
    """

    title: str
    blocks: tuple[Block, ...]
    page: bool = True
    summary: bool = True

    @property
    def anchor(self) -> str:
        """Where a link leads to."""
        return re.sub(r"[^a-z0-9]+", "-", self.title.lower()).strip("-")

    def markdown(self) -> str:
        """The blocks without the heading, "" where none has any Markdown."""
        return "\n\n".join(text for text in (block.markdown() for block in self.blocks) if text)

    def _repr_html_(self) -> Markup:
        return Markup("<h3>{}</h3>").format(self.title) + Markup("").join(block.html() for block in self.blocks)


@dataclass(frozen=True)
class Document:
    """A report: the title and lead of its page, its sections, and the title of its summary.md ("": it has none).

    The first section of a summary stands below its title without a heading. `texts` are further files of the report's
    folder, by name.
    """

    title: str
    lead: str
    sections: tuple[Section, ...]
    summary_title: str = ""
    texts: Mapping[str, str] = field(default_factory=dict)

    @property
    def figures(self) -> list[Figure]:
        """All figures, in the order of the page."""
        return [block for section in self.sections for block in section.blocks if isinstance(block, Figure)]

    @property
    def tables(self) -> list[Table]:
        """All tables that have a file name."""
        blocks = [block for section in self.sections for block in section.blocks]
        return [block for block in blocks if isinstance(block, Table) and block.file]

    def __getitem__(self, title: str) -> Section:
        """The section of this title, empty where there is none."""
        return next((section for section in self.sections if section.title == title), Section(title, ()))

    def markdown(self) -> str:
        """The content of summary.md."""
        found = [(section.title, section.markdown()) for section in self.sections if section.summary]
        (_, first), *others = [(title, text) for title, text in found if text]
        parts = [f"# {self.summary_title}", first, *(f"## {title}\n\n{text}" for title, text in others)]
        return "\n\n".join(parts) + "\n"

    def html(self) -> str:
        """The page, which needs no other file."""
        sections = [section for section in self.sections if section.page and section.blocks]
        style, script = (Markup((TEMPLATES / name).read_text(encoding="utf-8")) for name in ("page.css", "tables.js"))
        return ENVIRONMENT.get_template("page.html").render(page=self, sections=sections, style=style, script=script)

    def files(self) -> dict[str, str]:
        """The content of every text file by its path: summary.md, tables as CSV and LaTeX, and `texts`."""
        found = {"summary.md": self.markdown()} if self.summary_title else {}
        for table in self.tables:
            found[f"tables/{table.file}.csv"] = table.csv()
            found[f"tables/{table.file}.tex"] = table.latex()
        return found | dict(self.texts)


def data_uri(content: bytes, suffix: str) -> str:
    """The content of a file as an address that holds it; `suffix` is "png" or "svg"."""
    return f"data:{TYPES[suffix]};base64,{base64.b64encode(content).decode()}"


def _has_interval(cell: object) -> bool:
    return isinstance(cell, Number) and cell.interval is not None


def _fields(cell: object) -> dict[str, str]:
    """The fields of a cell in CSV, none where nothing is known."""
    if isinstance(cell, Number):
        return cell.fields()
    return {} if pd.isna(cell) else {"": str(cell)}  # type: ignore[call-overload]


def _text(cell: object) -> str:
    return str(cell) if _fields(cell) else EMPTY


def _markdown(cell: object) -> str:
    text = cell.markdown() if isinstance(cell, Strong) else _text(cell)
    # A bar or a line break inside a cell (an error's message) would break the table.
    return " ".join(text.split()).replace("|", "\\|")


def _latex(cell: object) -> str:
    text = _text(cell).translate(LATEX)
    return text.replace("-", "$-$") if _fields(cell) and isinstance(cell, Number) else text  # a minus, not a hyphen
