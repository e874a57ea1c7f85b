"""Studies: their definition, the running of one cell, and the engine that runs them all."""

from grla.study.confirm import CONFIRMED, CONFIRMING_SEEDS, confirming_study, read_base
from grla.study.definition import OPEN_FIELDS, Cell, Changes, Factor, Profile, Study, load_study, study_names, vary
from grla.study.parameters import Choice, Float, Int, Parameter, Value, When
from grla.study.profiles import QUICK, RECALL, SMOKE, STANDARD, UNMEASURED, recall_profiles, usual_profiles
from grla.study.search import (
    COUNTED,
    TUNING_SEED,
    Configuration,
    Limit,
    Search,
    SearchProfile,
    Space,
    load_search,
    search_names,
)
from grla.study.search_text import definition_of, note_of

__all__ = [
    "CONFIRMED",
    "CONFIRMING_SEEDS",
    "COUNTED",
    "OPEN_FIELDS",
    "QUICK",
    "RECALL",
    "SMOKE",
    "STANDARD",
    "TUNING_SEED",
    "UNMEASURED",
    "Cell",
    "Changes",
    "Choice",
    "Configuration",
    "Factor",
    "Float",
    "Int",
    "Limit",
    "Parameter",
    "Profile",
    "Search",
    "SearchProfile",
    "Space",
    "Study",
    "Value",
    "When",
    "confirming_study",
    "definition_of",
    "load_search",
    "load_study",
    "note_of",
    "read_base",
    "recall_profiles",
    "search_names",
    "study_names",
    "usual_profiles",
    "vary",
]
