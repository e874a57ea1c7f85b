"""Tables, figures and pages of recorded results, made from their raw rows; and whether those on disk still match.

    python studies/report.py all --html pages             a page per study below results/, an index.html
    python studies/report.py recall --html pages          the pages of one study or search
    python studies/report.py results/reference            write tables and figures of a folder's records anew
    python studies/report.py results/reference --verify   what does not match is listed, and the exit status is 1
    python studies/report.py merge A B --out C            the studies of two machines or runs in one folder
    python studies/report.py compare A B                  did scores, counts, times change? The exit status is 1 if so

Works on what `run_ablation.py`, `run_tuning.py`, `run_benchmark.py` and `run_fidelity.py` write.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from command import command

from grla.errors import InputError, require
from grla.files import write_text
from grla.report import (
    PROVENANCE,
    Document,
    Kind,
    Link,
    Links,
    Section,
    compare_sets,
    find_kinds,
    merge_sets,
    read_json,
)

RESULTS = Path("results")


@dataclass(frozen=True)
class Arguments:
    """Write tables and figures anew, or pages with --html, or check what is there with --verify."""

    what: tyro.conf.Positional[str] = "all"
    """The name of a study or search, or "all", looked for below results/; or a folder of results."""
    html: Path | None = None
    """Folder for the pages; what is in the results' folders stays as it is."""
    verify: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Recompute everything from the raw rows, write nothing, and list what does not match."""


@dataclass(frozen=True)
class Merge:
    """Write the studies of two folders of results, and their reports, to a new one; equal cells must have equal scores.

    Rows and reports are merged; pictures and weights of cells stay where they are.
    """

    first: tyro.conf.Positional[Path]
    """A folder of results; of what was measured on machines, its numbers are kept."""
    second: tyro.conf.Positional[Path]
    """Another one."""
    out: Path
    """Folder for the merged results; it must be empty or not there yet."""

    def run(self) -> None:
        """Merge, and print what was not."""
        for line in merge_sets(self.first, self.second, self.out):
            print(line, file=sys.stderr)
        print(self.out)


@dataclass(frozen=True)
class Compare:
    """Compare the studies that two folders of results have in common: second minus first, seeds and images paired.

    The exit status is 0 if nothing changed that can be told from chance, and 1 if something did (it is named) or the
    two cannot be compared.
    """

    first: tyro.conf.Positional[Path]
    """A folder of results, of the earlier commit, say."""
    second: tyro.conf.Positional[Path]
    """A folder of results to compare with it."""

    def run(self) -> None:
        """Compare and print; raises InputError that names what changed."""
        found = compare_sets(self.first, self.second)
        print("\n\n".join(one.markdown() for one in found))
        changed = [line for one in found for line in one.changed()]
        if changed:
            raise InputError("changed:\n" + "\n".join(f"  {line}" for line in changed))
        print("\nNothing changed that can be told from chance.")


ACTIONS = Annotated[Merge, tyro.conf.subcommand("merge")] | Annotated[Compare, tyro.conf.subcommand("compare")]


@dataclass(frozen=True)
class Found:
    """The folders that are meant, by kind, and the one they lie in."""

    root: Path
    folders: tuple[tuple[Kind, Path], ...]

    def page_name(self, folder: Path) -> str:
        """The file of a record's page: the path from the root, joined by hyphens."""
        path = folder.resolve().with_suffix("") if folder.is_file() else folder.resolve()
        parts = path.relative_to(self.root.resolve()).parts or (path.name,)
        return f"{'-'.join(parts)}.html"


def arguments_type(words: Sequence[str]) -> Any:
    """What a command line is read as. "compare" without folders is the study of that name."""
    first, second = [*words[:2], "", ""][:2]
    of_sets = first == "compare" and second and (not second.startswith("-") or second in ("-h", "--help"))
    return ACTIONS if first == "merge" or of_sets else Arguments


def main(arguments: Arguments | Merge | Compare) -> None:
    """Do what the arguments say."""
    if not isinstance(arguments, Arguments):
        return arguments.run()
    found = find(arguments.what)
    if arguments.verify:
        check(found)
    elif arguments.html is not None:
        write_pages(found, arguments.html)
    else:
        write_reports(found)


def find(what: str) -> Found:
    """The records that `what` names; an InputError where there are none."""
    root = Path(what) if Path(what).is_dir() else RESULTS
    folders = tuple((kind, folder) for kind in find_kinds().values() for folder in kind.folders(root))
    if root == RESULTS and what not in ("all", str(RESULTS)):
        folders = tuple((kind, folder) for kind, folder in folders if name_of(folder) == what)
    rule = f'must be a folder with results, or "all" or a study or search that has results in {RESULTS}/'
    require(len(folders) > 0, "what", rule, what)
    return Found(root, folders)


def name_of(folder: Path) -> str:
    """The study or search that a folder holds results of; other records are called as their folder or file."""
    about = read_json(folder / PROVENANCE) if (folder / PROVENANCE).is_file() else {}
    return str(about.get("study", about.get("search", folder.stem)))


def write_reports(found: Found) -> None:
    """Write rows where there is a storage, tables and figures."""
    for kind, folder in found.folders:
        kind.write(folder)
        print(folder)


def write_pages(found: Found, out: Path) -> None:
    """Write a page per folder and the index of all of them."""
    links: dict[str, list[Link]] = {}
    for kind, folder in found.folders:
        name = found.page_name(folder)
        write_text(out / name, kind.document(folder).html())
        links.setdefault(kind.TITLE, []).append(kind.link(folder, name))
        print(out / name)
    sections = tuple(Section(title, (Links(tuple(of_kind)),)) for title, of_kind in links.items())
    lead = "Which attention is worth it in lightweight image super-resolution, and is the difference real?"
    write_text(out / "index.html", Document("Results of the GRLA study harness", lead, sections).html())
    print(out / "index.html")


def check(found: Found) -> None:
    """Print what does not match and exit with status 1, or say that all does."""
    faults = [(folder, fault) for kind, folder in found.folders for fault in kind.faults(folder)]
    if faults:
        raise InputError("does not match:\n" + "\n".join(f"  {folder}: {fault}" for folder, fault in faults))
    folders = [folder for _, folder in found.folders]
    print(f"No fault found in {', '.join(map(str, folders))}.")


if __name__ == "__main__":
    command(main, arguments_type(sys.argv[1:]), __doc__)
