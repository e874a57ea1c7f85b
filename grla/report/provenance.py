"""Provenance as a page shows it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from grla.report.document import Table


def provenance_table(about: Mapping[str, Any], further: Mapping[str, object]) -> Table:
    """How and where a record was made, from its provenance.json; `further` comes after the protocol."""
    run: dict[str, object] = {"command": about["command_line"], "protocol": about["protocol"], **further}
    run |= {f"machine: {name}": value or "none" for name, value in about["machine"].items()}
    run |= {"packages": ", ".join(f"{name} {version}" for name, version in about["packages"].items())}
    run |= {f"checksum of {name}": value for name, value in about.get("image_checksums", {}).items()}
    return Table(pd.DataFrame(run.items(), columns=["what", "value"]), "How and where it was run.")
