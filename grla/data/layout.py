"""What a folder of pictures holds: which are HR and which are their LR, by the names that the field gives them."""

from __future__ import annotations

import os.path
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from grla.data.bundled import BUNDLED
from grla.data.reading import find_images
from grla.errors import InputError

HR_FOLDER = re.compile(
    r"(?:(?:^|[^A-Za-z])(?i:hr|gt|high[-_ ]?res(?:olution)?|ground[-_ ]?truth)|(?<=[a-z])(?:HR|GT))"
    r"(?:mod\d*|[xX]\d)?(?![A-Za-z])"
)
"""As in HR, GTmod12, DIV2K_train_HR, trainHR."""
LR_FOLDER = re.compile(r"(?:^|[^A-Za-z])(?i:lr|low[-_ ]?res)|(?<=[a-z])LR")
"""As in LR, lr, LR_bicubic, LRbicx4, DIV2K_train_LR_unknown."""
FACTOR_FOLDER = re.compile(r"(?:image_SRF_|(?i:x))(\d)")
"""As in X4, image_SRF_4: pictures for one factor."""
WHOLLY_GENERIC = re.compile(r"(?i:hr|gt)(?i:mod\d*|x\d)?|" + FACTOR_FOLDER.pattern)
"""Folder names that say nothing of what they hold: their parent names the set."""
HR_FILE = re.compile(r"[-_ ](?:HR|GT)(?:[-_ ]?x\d)?$", re.IGNORECASE)
LR_FILE = re.compile(r"[-_ ]LR[a-z]*(?:[-_ ]?x(\d))?$|[-_ ]?x(\d)$", re.IGNORECASE)
PASSED_OVER = "LR_bicubic_replicate"
"""The one LR folder beside HR that is known and not read: its images have replicated borders."""


class Layout(NamedTuple):
    """HR pictures by name (their path below `root` without ending), in that order, and LR pictures by the same names.

    `lr` is None where LR is to be made. `found` says in words how many there are and where LR comes from.
    """

    root: Path
    hr: dict[str, Path]
    lr: dict[str, Path] | None
    found: str


def read_layout(folder: Path, upscale: int | None = None) -> Layout:
    """Tell HR from LR in `folder`, which is searched recursively; without `upscale` LR is passed over.

    - The folder holds one of HR pictures (HR, GTmod12, ..._HR); LR is in folders beside it (LR, LR_bicubic, LRbicx4,
      lr, ...), directly or by factor (X4, x4).
    - Or HR and LR lie side by side, as `a_HR.png` and `a_LR.png`, or `a.png` and `ax4.png`; other pictures of such
      names, as `a_bicubic.png`, are passed over.
    - Or it holds HR pictures only.

    HR may lie in folders by factor (X4, image_SRF_4). The LR of HR `b` is called `b`, `bx4` or `b_LR`, with x4 for the
    factor, with any accepted ending. Raises InputError where a picture could be taken for something else, for a picture
    that would not be read, for an LR that is missing, and as `find_images` does.
    """
    groups = _by_first_folder(find_images(folder), folder)
    low = [name for name in groups if LR_FOLDER.search(name)]
    high = [name for name in groups if HR_FOLDER.search(name) and name not in low]
    _require_one_reading(folder, groups, high, low)
    root = _root_for_factor(folder / high[0] if high else folder, upscale)
    hr, beside, num_left_out = _told_apart(root, named_images(root), upscale)
    sources = {**_lr_sources(folder, groups, low, upscale), **({root: beside} if beside else {})} if upscale else {}
    if len(sources) > 1:
        where = ", ".join(map(str, sources))
        raise InputError(f"folder {folder} holds LR images for x{upscale} in {where}; move all but one away")
    words = f"{len(hr)} HR images in {root}" + (f", {num_left_out} others passed over" if num_left_out else "")
    if not sources:
        return Layout(root, hr, None, words + _why_made(low, upscale))
    ((place, lr),) = sources.items()
    return Layout(root, hr, _matched(hr, lr, place, upscale or 0), f"{words}, LR from {place}")


def named_images(folder: Path) -> dict[str, Path]:
    """The pictures below `folder` by relative path without ending, in that order. Raises InputError for equal names."""
    named: dict[str, Path] = {}
    for path in find_images(folder):
        name = path.relative_to(folder).with_suffix("").as_posix()
        if name in named:
            raise InputError(f"images {named[name]} and {path} have the same name {name!r}; rename or remove one")
        named[name] = path
    return dict(sorted(named.items()))


def set_names(sources: Sequence[str]) -> list[str]:
    """A name for each source: its folder's, or the parent's if that is only called HR or the like, or of several.

    Of several folders, as a/T, where two have one name. Raises InputError for one source given twice.
    """
    places = [_telling_parts(source) for source in sources]
    names = []
    for source, parts in zip(sources, places, strict=True):
        if places.count(parts) > 1:
            raise InputError(f"test set {source} is given twice; give it once")
        depth = 1
        while depth < len(parts) and sum(other[-depth:] == parts[-depth:] for other in places) > 1:
            depth += 1
        names.append("/".join(parts[-depth:]))
    return names


def _telling_parts(source: str) -> tuple[str, ...]:
    """The folders on the way to a source, the last of them the first that says what it holds."""
    if source == BUNDLED:
        return (BUNDLED,)
    parts = Path(os.path.abspath(source)).parts[1:]
    while len(parts) > 1 and WHOLLY_GENERIC.fullmatch(parts[-1]):
        parts = parts[:-1]
    return parts


def _by_first_folder(paths: Iterable[Path], folder: Path) -> dict[str, list[Path]]:
    """The pictures by the folder directly inside `folder` that they lie in; "" for those that lie in itself."""
    groups: dict[str, list[Path]] = {}
    for path in paths:
        first, *rest = path.relative_to(folder).parts
        groups.setdefault(first if rest else "", []).append(path)
    return groups


def _require_one_reading(folder: Path, groups: Mapping[str, object], high: list[str], low: list[str]) -> None:
    if low and not high:
        raise InputError(f"folder {folder} holds {low[0]}/ but no HR/; put its HR images into {folder / 'HR'}")
    if len(high) > 1:
        raise InputError(f"folder {folder} holds several folders of HR images, {', '.join(high)}; give one of them")
    unread = [name or "images of its own" for name in groups if name not in (*high, *low)] if high else []
    if unread:
        beside = f"beside {high[0]}/, which would not be read"
        raise InputError(f"folder {folder} holds {', '.join(unread)} {beside}; move them away, or give {high[0]} alone")


def _root_for_factor(root: Path, upscale: int | None) -> Path:
    """`root`, or the folder inside that is for this factor if there are such folders; no LR folder lies below."""
    groups = _by_first_folder(find_images(root), root)
    factors = {name: int(found[1]) for name in groups if (found := FACTOR_FOLDER.fullmatch(name))}
    fitting = [name for name, factor in factors.items() if factor == upscale]
    if factors and (len(fitting) != 1 or len(factors) < len(groups)):
        wanted = f"one for x{upscale} and nothing else can be read" if upscale else "give one of them"
        where = ", ".join(sorted(filter(None, groups))) + (" and itself" if "" in groups else "")
        raise InputError(f"folder {root} holds images by factor, in {where}; {wanted}")
    root = root / fitting[0] if fitting else root
    for path in find_images(root):
        inside = [part for part in path.relative_to(root).parts[:-1] if LR_FOLDER.search(part)]
        if inside:
            raise InputError(f"folder {root} holds LR images, as {path}; give each folder that holds HR/ by itself")
    return root


def _told_apart(
    root: Path, named: Mapping[str, Path], upscale: int | None
) -> tuple[dict[str, Path], dict[str, Path], int]:
    """HR and, for this factor, LR of pictures that lie side by side, and how many are neither."""
    by_stem = {HR_FILE.sub("", name): name for name in named}
    low = {}
    for name in named:
        found = LR_FILE.search(name)
        if found and by_stem.get(name[: found.start()], name) != name:
            low[name] = int(found[1] or found[2] or 0)
    marked = {name for name in named if HR_FILE.search(name)}
    high = {name: path for name, path in named.items() if name not in low and (name in marked or not marked)}
    stems = tuple(HR_FILE.sub("", name) + mark for name in high for mark in "-_ ")
    for name, path in named.items():
        if name not in high and name not in low and not name.startswith(stems):
            example = named[next(iter(high))]
            rule = f"named as no result of one, beside {example.name}, named as HR"
            raise InputError(f"folder {root} holds {path.name}, {rule}; rename one of them or move it away")
    beside = {name: named[name] for name, factor in low.items() if factor in (0, upscale)}
    return high, beside, len(named) - len(high) - len(beside)


def _lr_sources(
    folder: Path, groups: Mapping[str, list[Path]], low: Iterable[str], upscale: int | None
) -> dict[Path, dict[str, Path]]:
    """The folders that hold LR for this factor, with their pictures by name."""
    sources: dict[Path, dict[str, Path]] = {}
    for name in low:
        factor, inside = _factor_in(name), _by_first_folder(groups[name], folder / name)
        if name == PASSED_OVER or factor not in (None, upscale):
            continue
        fitting = [part for part in inside if part and _factor_in(part) == upscale]
        if not fitting and any(_factor_in(part) is None for part in inside):
            fitting = [""]
        sources |= {folder / name / part: named_images(folder / name / part) for part in fitting}
    return sources


def _factor_in(name: str) -> int | None:
    """The factor at the end of a folder's name, as in X4, LRbicx4, LR_bicubic_X4."""
    found = re.search(r"[xX](\d)$", name)
    return int(found[1]) if found else None


def _matched(hr: Mapping[str, Path], lr: Mapping[str, Path], place: Path, upscale: int) -> dict[str, Path]:
    """The LR of every HR, by its name."""
    by_stem: dict[str, Path] = {}
    for name, path in lr.items():
        by_stem.setdefault(_stem(name, upscale), path)
    matching = {}
    for name, hr_path in hr.items():
        lr_path = lr.get(name) or lr.get(f"{name}x{upscale}") or by_stem.get(_stem(name, upscale))
        if lr_path is None:
            rule = f"every HR image needs an LR called {name} or {name}x{upscale}"
            raise InputError(f"HR {hr_path} has no LR in {place}; {rule}; add it, or remove the LR folder")
        matching[name] = lr_path
    return matching


def _stem(name: str, upscale: int) -> str:
    """A picture's name without what marks it as HR, or as LR for this factor."""
    marks = rf"(?:[-_ ](?:HR|GT|LR[a-z]*))?(?:[-_ ]?x{upscale})?$"
    return re.sub(marks, "", name, count=1, flags=re.IGNORECASE)


def _why_made(low: Sequence[str], upscale: int | None) -> str:
    if upscale is None:
        return ""
    none = f" ({', '.join(low)}: none for x{upscale} that is read)" if low else ""
    return f", LR made by bicubic reduction{none}"
