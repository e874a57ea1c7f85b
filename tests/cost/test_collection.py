"""Garbage collection while memory is measured."""

from __future__ import annotations

import gc

from grla.cost import quick_collection


def test_what_was_kept_out_of_collections_before_stays_out() -> None:
    kept = gc.get_freeze_count()
    gc.unfreeze()
    with quick_collection():
        assert gc.get_freeze_count() > 0
    assert gc.get_freeze_count() == 0
    gc.freeze()
    with quick_collection():
        pass
    assert gc.get_freeze_count() > 0
    if not kept:
        gc.unfreeze()
