"""The pages in a real browser: nothing is loaded from elsewhere, every picture decodes, nothing is complained about."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import report

from tests.shared.browser import find_chromium

sync_api = pytest.importorskip("playwright.sync_api", reason="needs playwright, see requirements-dev.txt")

REFERENCE = Path(__file__).parents[2] / "results" / "reference"
PLAIN = ("index.html", "claims.html")  # without pictures
RECORDS = ("recall-photos-quick", "search_architecture-quick", "benchmark")
PAGES = (*PLAIN, *(f"{name}.html" for name in RECORDS))


@pytest.fixture(scope="module")
def browser() -> Iterator[object]:
    found = find_chromium()
    with sync_api.sync_playwright() as playwright:
        # In containers tests run as root and /dev/shm is small.
        opened = playwright.chromium.launch(executable_path=found, args=["--no-sandbox", "--disable-dev-shm-usage"])
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pages of a reference record of each kind, and their index, alone in a folder."""
    folder = tmp_path_factory.mktemp("pages")
    for name in RECORDS:
        shutil.copytree(REFERENCE / name, folder / "reference" / name)
    shutil.copy(REFERENCE / "claims.md", folder / "reference")
    report.main(report.Arguments(str(folder / "reference"), html=folder / "html"))
    shutil.rmtree(folder / "reference")
    return folder / "html"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_whole_in_itself(browser, pages: Path, name: str, scheme: str) -> None:
    page = browser.new_page(viewport={"width": 1280, "height": 900}, color_scheme=scheme)
    requests, complaints = [], []
    page.on("request", lambda request: requests.append(request.url))
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    address = (pages / name).as_uri()
    page.goto(address, wait_until="load", timeout=120_000)
    assert [url for url in requests if not url.startswith("data:")] == [address]
    assert complaints == []
    widths = page.evaluate("Promise.all([...document.images].map(i => i.decode().then(() => i.naturalWidth)))")
    assert all(width > 300 for width in widths)
    assert (len(widths) > 3) == (name not in PLAIN)
    assert page.evaluate("document.documentElement.scrollWidth") <= 1280  # wide tables scroll by themselves
    light = page.evaluate("getComputedStyle(document.body).backgroundColor.match(/\\d+/g).every(c => c > 127)")
    assert light == (scheme == "light")
    page.close()


def test_the_index_leads_to_every_page_and_a_page_to_its_sections(browser, pages: Path) -> None:
    page = browser.new_page()
    page.goto((pages / "index.html").as_uri())
    assert "15 of 15 cells, 3 seeds; tested on Set5, Set14." in page.locator("#studies").inner_text()
    page.click("text=recall_photos, quick")
    page.wait_for_load_state()  # a click returns as soon as the page begins to arrive
    assert page.title() == "recall_photos, profile quick"
    titles = page.locator("h2").all_inner_texts()
    limits = ["What this study can see", "What this study cannot tell"]
    assert titles == ["Verdicts", "Method", "kernel", "Interventions", "Figures", *limits, "Provenance"]
    assert page.locator("#kernel table").count() == 3  # quality, each test set alone, costs
    page.click("nav >> text=Figures")
    assert page.url.endswith("#figures")
    assert page.locator("#figures").bounding_box()["y"] < 900
    page.close()


def column(table, index: int) -> list[str]:
    return [row.split("\t")[index].strip() for row in table.locator("tbody tr:visible").all_inner_texts()]


def test_tables_sort_by_their_headings_and_go_back(browser, pages: Path) -> None:
    page = browser.new_page()
    page.goto((pages / "recall-photos-quick.html").as_uri())
    table = page.locator("#kernel table").first
    heading = table.locator("th", has_text="PSNR-Y dB").first
    index = table.locator("th").all_inner_texts().index(heading.inner_text())
    written = column(table, index)
    numbers = [float(text.split()[0]) for text in written]
    ordered = sorted(numbers)
    assert numbers not in (ordered, ordered[::-1])
    for wanted, state in ((ordered, "ascending"), (ordered[::-1], "descending"), (numbers, "none")):
        heading.locator("button").click()
        assert heading.get_attribute("aria-sort") == state
        assert [float(text.split()[0]) for text in column(table, index)] == wanted
    assert column(table, index) == written
    table.locator("th button").first.click()
    assert column(table, 0) == sorted(column(table, 0), key=str.lower)
    page.close()


def test_what_is_not_known_stays_last(browser, pages: Path) -> None:
    page = browser.new_page()
    page.goto((pages / "recall-photos-quick.html").as_uri())
    table = page.locator("#kernel table").first
    heading = table.locator("th", has_text="difference to base dB")
    index = table.locator("th").all_inner_texts().index(heading.inner_text())
    for _ in range(2):
        heading.locator("button").click()
        shown = column(table, index)
        unknown = shown.count("-")
        assert 0 < unknown < len(shown)
        assert shown[-unknown:] == ["-"] * unknown
    page.close()


def test_long_tables_filter_their_rows(browser, pages: Path) -> None:
    page = browser.new_page()
    page.goto((pages / "search_architecture-quick.html").as_uri())
    figure = page.locator("figure.table", has=page.locator("input[type=search]")).first
    every = column(figure, 0)
    assert len(every) >= 8
    word = every[3]
    figure.locator("input").fill(word.upper())
    rows = figure.locator("tbody tr:visible").all_inner_texts()
    assert 0 < len(rows) < len(every)
    assert all(word.lower() in row.lower() for row in rows)
    figure.locator("input").fill("")
    assert column(figure, 0) == every
    page.close()


def test_without_script_the_tables_are_as_they_were_written(browser, pages: Path) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto((pages / "recall-photos-quick.html").as_uri())
    assert page.locator("#kernel table").first.locator("tbody tr").count() > 3
    assert page.locator("button, input").count() == 0
    context.close()
