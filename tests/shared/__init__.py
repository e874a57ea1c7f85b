"""What tests of several rooms use: a tiny study and search, commands to start and disturb, servers, a browser."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
ABLATIONS = Path(__file__).parent / "ablations"
SEARCHES = Path(__file__).parent / "searches"
