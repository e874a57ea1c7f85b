"""Whether a search's record still is what the search's file, the protocol and the code's history say it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from grla.engine.material import identity
from grla.engine.verify import base_faults, code_faults
from grla.errors import InputError
from grla.provenance import PROTOCOL
from grla.spec import RunSpec, from_dict, spec_hash, to_dict, with_changes
from grla.study import TUNING_SEED, Search, definition_of

Content = Mapping[str, Any]


def search_identity_faults(
    search: Search, definition: Content, about: Content, trials: pd.DataFrame, changes: Mapping[int, Content]
) -> list[str]:
    """What does not match, one line each, of a record that ran `search`.

    `definition` is what the storage held of the search, `about` the record's provenance.json, `changes` the spec fields
    of each row of `trials`. Checked: the protocol; that the search's file still gives this base, these parameters,
    limits and aims; the definition's hash in the Optuna study's name; the hash of every trial that was trained; that
    every trial's code is a commit of this history.
    """
    faults = code_faults(set(trials["code_version"]) - {""})
    if about["protocol"] != PROTOCOL:
        faults.append(f"protocol: was {about['protocol']}, numbers now mean {PROTOCOL}")
    named = str(about["optuna_study"]).rpartition("-")[2]
    if spec_hash(definition)[:8] != named:
        faults.append(f"search.json: its hash is not {named}, which the study's name {about['optuna_study']} carries")
    try:
        space = search.space(definition["profile"], {})
        base = from_dict(RunSpec, {**definition["base"], "seed": TUNING_SEED})
    except (InputError, TypeError, ValueError) as error:
        return [*faults, f"search.json: the search's file does not give such trials any more: {error}"]
    today = definition_of(search, definition["profile"], space, definition["images"])
    faults += base_faults(definition["base"], space.base)
    for name in ("parameters", "limits", "minimise", "start"):
        if to_dict(today[name]) != definition[name]:
            faults.append(f"{name}: were {definition[name]}, the search's file now says {to_dict(today[name])}")
    for row in trials[trials["cell_hash"] != ""].to_dict("records"):
        spec = with_changes(base, changes[int(row["trial"])])
        if row["cell_hash"] != identity(spec, definition["images"], str(row["device"])):
            faults.append(f"trial {row['trial']}: {row['cell_hash']} is not the hash of its spec, images and protocol")
    return faults
