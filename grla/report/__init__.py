"""The report room: tidy data frames in, Markdown tables and Matplotlib figures out. Never imports torch."""

from grla.report.document import Link, Links, Page, Section, Table
from grla.report.export import export
from grla.report.figures.attribution import AttributionTile, attribution_figure
from grla.report.figures.canvas import save
from grla.report.figures.cell_files import CELL_FILES
from grla.report.figures.crops import sharpest_crop
from grla.report.figures.memory import memory_table
from grla.report.figures.recall_maps import MapRow, recall_maps_figure
from grla.report.figures.scaling import memory_verdict, scaling_table
from grla.report.figures.search_data import confirmation, to_confirm
from grla.report.figures.training import training_notes, training_table
from grla.report.folder import (
    DEFINITION,
    PROVENANCE,
    own_storage,
    read_json,
    read_rows,
    study_folders,
    study_results,
    write_rows,
)
from grla.report.identity import code_faults, identity_faults, recorded_study, search_identity_faults
from grla.report.kinds.benchmark_page import benchmark_link, benchmark_page
from grla.report.kinds.benchmark_records import (
    ROWS,
    benchmark_folders,
    benchmark_pictures,
    models_frame,
    record_files,
    record_pictures,
)
from grla.report.kinds.claims import (
    Claim,
    better_than_base,
    cheaper_to_train,
    diverging,
    judge_claims,
    latest_by_study,
    no_better_than_base,
    worse_than_base,
)
from grla.report.kinds.cost import cost_text
from grla.report.kinds.cost_claims import faster_than_swinir, memory_is_linear, read_record
from grla.report.kinds.fidelity_folder import fidelity_folders, publish_fidelity
from grla.report.kinds.fidelity_page import fidelity_link, fidelity_page
from grla.report.kinds.publish import publish, publish_rows
from grla.report.kinds.publish_tuning import publish_search_rows, publish_tuning
from grla.report.kinds.search_page import search_link, search_page
from grla.report.kinds.study_page import study_link, study_page
from grla.report.pictures import write_pictures
from grla.report.results import Results, TuningResults, load_results
from grla.report.search_folder import (
    confirmed_trials,
    read_search_rows,
    search_folders,
    search_results,
    write_search_rows,
)
from grla.report.statistics.sequential import is_open, look_seeds, until_clear
from grla.report.statistics.simulated import check_all, check_looks
from grla.report.statistics.verdicts import Difference, study_differences
from grla.report.tables import markdown
from grla.report.verify import benchmark_faults, fidelity_faults, search_report_faults, study_report_faults

__all__ = [
    "CELL_FILES",
    "DEFINITION",
    "PROVENANCE",
    "ROWS",
    "AttributionTile",
    "Claim",
    "Difference",
    "Link",
    "Links",
    "MapRow",
    "Page",
    "Results",
    "Section",
    "Table",
    "TuningResults",
    "attribution_figure",
    "benchmark_faults",
    "benchmark_folders",
    "benchmark_link",
    "benchmark_page",
    "benchmark_pictures",
    "better_than_base",
    "cheaper_to_train",
    "check_all",
    "check_looks",
    "code_faults",
    "confirmation",
    "confirmed_trials",
    "cost_text",
    "diverging",
    "export",
    "faster_than_swinir",
    "fidelity_faults",
    "fidelity_folders",
    "fidelity_link",
    "fidelity_page",
    "identity_faults",
    "is_open",
    "judge_claims",
    "latest_by_study",
    "load_results",
    "look_seeds",
    "markdown",
    "memory_is_linear",
    "memory_table",
    "memory_verdict",
    "models_frame",
    "no_better_than_base",
    "own_storage",
    "publish",
    "publish_fidelity",
    "publish_rows",
    "publish_search_rows",
    "publish_tuning",
    "read_json",
    "read_record",
    "read_rows",
    "read_search_rows",
    "recall_maps_figure",
    "record_files",
    "record_pictures",
    "recorded_study",
    "save",
    "scaling_table",
    "search_folders",
    "search_identity_faults",
    "search_link",
    "search_page",
    "search_report_faults",
    "search_results",
    "sharpest_crop",
    "study_differences",
    "study_folders",
    "study_link",
    "study_page",
    "study_report_faults",
    "study_results",
    "to_confirm",
    "training_notes",
    "training_table",
    "until_clear",
    "worse_than_base",
    "write_pictures",
    "write_rows",
    "write_search_rows",
]
