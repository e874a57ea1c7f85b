"""Self-contained HTML pages: sections of text, tables, pictures and links. Nothing is loaded from elsewhere."""

from __future__ import annotations

import base64
import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import markdown
import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from grla.report.figures.canvas import rendered
from grla.report.pictures import Picture
from grla.report.statistics.best import Marks

TEMPLATES = Path(__file__).parent / "templates"
ENVIRONMENT = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined)
WORD = "^[A-Za-z]{2}|[a-z]{3}"
TYPES = {"svg": "image/svg+xml", "png": "image/png"}


class Block:
    """A part of a page. A notebook shows it as the page does."""

    kind: ClassVar[str]

    def html(self) -> Markup:
        """The part as HTML."""
        return Markup(ENVIRONMENT.get_template("block.html").render(block=self))

    _repr_html_ = html


class Text(Block):
    """Markdown, tables included."""

    kind = "text"

    def __init__(self, text: str) -> None:
        # HTML in it is shown, not obeyed: reasons of failures are anybody's words.
        plain = text.replace("&", "&amp;").replace("<", "&lt;")
        self.content = Markup(markdown.markdown(plain, extensions=["tables"]))


class Table(Block):
    """A frame of texts, with marks for the best and the second best; columns of words stand left, of numbers right."""

    kind = "table"

    def __init__(self, frame: pd.DataFrame, caption: str, marks: Marks | None = None) -> None:
        texts = frame.map(lambda cell: str(cell).replace("**", ""))
        self.columns, self.caption = [str(name) for name in texts], caption
        self.words: Collection[str] = [
            str(name) for index, name in enumerate(texts) if index == 0 or texts[name].str.contains(WORD).any()
        ]
        found = marks or {}
        self.rows = [
            [(cell, found.get((str(row[0]), name), ""), name) for cell, name in zip(row, self.columns, strict=True)]
            for row in texts.itertuples(index=False, name=None)
        ]


class Shown(Block):
    """A picture as a data URI; of a figure that of SVG and PNG which is smaller."""

    kind = "picture"

    def __init__(self, source: str, caption: str) -> None:
        self.source, self.caption = source, caption

    @classmethod
    def figure(cls, picture: Picture) -> Shown:
        """A figure, drawn now."""
        figure = picture.draw()
        contents = {suffix: rendered(figure, suffix) for suffix in TYPES}
        suffix = min(contents, key=lambda name: len(contents[name]))
        return cls(data_uri(contents[suffix], suffix), picture.caption)

    @classmethod
    def file(cls, path: Path, caption: str) -> Shown:
        """A PNG or SVG file."""
        return cls(data_uri(path.read_bytes(), path.suffix[1:]), caption)


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
    kind = "links"


@dataclass(frozen=True)
class Section:
    """A heading and what stands under it, from top to bottom."""

    title: str
    blocks: tuple[Block, ...]

    @property
    def anchor(self) -> str:
        """Where a link leads to."""
        return re.sub(r"[^a-z0-9]+", "-", self.title.lower()).strip("-")

    def _repr_html_(self) -> Markup:
        return Markup("<h3>{}</h3>").format(self.title) + Markup("").join(block.html() for block in self.blocks)


@dataclass(frozen=True)
class Page:
    """A title, a sentence or two below it, and sections; sections without blocks are left out."""

    title: str
    lead: str
    sections: tuple[Section, ...]

    def html(self) -> str:
        """The page as one document that needs no other file."""
        shown = Page(self.title, self.lead, tuple(section for section in self.sections if section.blocks))
        style = Markup((TEMPLATES / "page.css").read_text(encoding="utf-8"))
        return ENVIRONMENT.get_template("page.html").render(page=shown, style=style)


def sections_of(summary: str) -> dict[str, str]:
    """A summary's text by the title of its section, "" for what stands between its first line and the first title."""
    first, *others = re.split(r"^## ", summary, flags=re.MULTILINE)
    split = (part.partition("\n") for part in others)
    return {"": first.partition("\n")[2].strip(), **{title: text.strip() for title, _, text in split}}


def data_uri(content: bytes, suffix: str) -> str:
    """The content of a file as an address that holds it; `suffix` is "png" or "svg"."""
    return f"data:{TYPES[suffix]};base64,{base64.b64encode(content).decode()}"
