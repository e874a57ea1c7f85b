"""Reports: tidy frames in; Markdown, tables, figures and pages out. Never imports torch."""

from grla.report.beside import beside
from grla.report.comparing import compare_sets
from grla.report.document import Document, Figure, Link, Links, Section, Table, Text
from grla.report.figures.canvas import save
from grla.report.figures.cell_files import CELL_FILES
from grla.report.figures.crops import sharpest_crop
from grla.report.figures.interventions import (
    LOST,
    OTHERS,
    OWN,
    SCORE,
    intervals_table,
    interventions_figure,
    other_tests_figure,
)
from grla.report.figures.maps import AttributionTile, MapRow, attribution_figure, recall_maps_figure
from grla.report.folder import write_figures
from grla.report.kinds import Kind, find_kinds
from grla.report.kinds.benchmark import ROWS, models_frame, record_figures
from grla.report.kinds.benchmark_tables import (
    cost_text,
    memory_table,
    memory_verdict,
    scaling_table,
    throughput_table,
    training_notes,
    training_table,
)
from grla.report.kinds.claims import LEDGER, SETTLED, ledger
from grla.report.kinds.claims import write as write_ledger
from grla.report.kinds.fidelity import write as write_fidelity
from grla.report.kinds.interventions import ABOUT_INTERVENTIONS, INTERVENTIONS
from grla.report.kinds.search import publish_tuning
from grla.report.kinds.study import publish
from grla.report.merging import merge_sets
from grla.report.results import DEFINITION, PROVENANCE, Results, TuningResults, export, load_results, read_json
from grla.report.search import confirmation, to_confirm
from grla.report.statistics.equivalence import gains_by_variant, is_rising
from grla.report.statistics.sequential import is_open, look_seeds, until_clear
from grla.report.statistics.simulated import check_all, check_looks
from grla.report.statistics.verdicts import Difference, study_differences
