"""Importing this first makes a script run the `grla` that lies beside it, whatever else is installed."""

import sys
from pathlib import Path

STUDIES = Path(__file__).resolve().parent
sys.path.insert(0, str(STUDIES.parent))
SHIPPED = STUDIES.parent / "results" / "reference" / "checkpoints" / "grlasr_small_x4.pt"
"""The trained network that comes with the project: x4, its record is results/reference/shipped-quick."""
