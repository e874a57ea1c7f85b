"""Reports: tidy frames in; Markdown, tables, figures and pages out. Never imports torch."""

from grla.report.document import Document, Figure, Link, Links, Section, Table, Text
from grla.report.figures.attribution import AttributionTile, attribution_figure
from grla.report.figures.canvas import save
from grla.report.figures.cell_files import CELL_FILES
from grla.report.figures.crops import sharpest_crop
from grla.report.figures.memory import memory_table
from grla.report.figures.recall_maps import MapRow, recall_maps_figure
from grla.report.figures.scaling import memory_verdict, scaling_table
from grla.report.figures.search_data import confirmation, to_confirm
from grla.report.figures.training import training_notes, training_table
from grla.report.folder import document_faults, figure_faults, write_figures
from grla.report.kinds import Kind, find_kinds
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
from grla.report.kinds.fidelity_folder import (
    fidelity_folders,
    fidelity_pictures,
    fidelity_texts,
    publish_fidelity,
    read_tables,
)
from grla.report.kinds.fidelity_page import fidelity_link, fidelity_page
from grla.report.kinds.search import publish_tuning
from grla.report.kinds.study import publish
from grla.report.results import PROVENANCE, Results, TuningResults, export, load_results, read_json
from grla.report.statistics.sequential import is_open, look_seeds, until_clear
from grla.report.statistics.simulated import check_all, check_looks
from grla.report.statistics.verdicts import Difference, study_differences
from grla.report.verify import code_faults

__all__ = [
    "CELL_FILES",
    "PROVENANCE",
    "ROWS",
    "AttributionTile",
    "Claim",
    "Difference",
    "Document",
    "Figure",
    "Kind",
    "Link",
    "Links",
    "MapRow",
    "Results",
    "Section",
    "Table",
    "Text",
    "TuningResults",
    "attribution_figure",
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
    "cost_text",
    "diverging",
    "document_faults",
    "export",
    "faster_than_swinir",
    "fidelity_folders",
    "fidelity_link",
    "fidelity_page",
    "fidelity_pictures",
    "fidelity_texts",
    "figure_faults",
    "find_kinds",
    "is_open",
    "judge_claims",
    "latest_by_study",
    "load_results",
    "look_seeds",
    "memory_is_linear",
    "memory_table",
    "memory_verdict",
    "models_frame",
    "no_better_than_base",
    "publish",
    "publish_fidelity",
    "publish_tuning",
    "read_json",
    "read_record",
    "read_tables",
    "recall_maps_figure",
    "record_files",
    "record_pictures",
    "save",
    "scaling_table",
    "sharpest_crop",
    "study_differences",
    "to_confirm",
    "training_notes",
    "training_table",
    "until_clear",
    "worse_than_base",
    "write_figures",
]
