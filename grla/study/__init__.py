"""What is asked and what was measured: studies, searches, records. Pure data: no torch, no Optuna."""

from grla.study.catalogue import ABLATIONS, SEARCHES
from grla.study.claims import (
    FAR_BELOW,
    NO_GAIN,
    NOISE,
    Claim,
    Rule,
    Test,
    better_than_base,
    cheaper_to_train,
    diverging,
    load_claims,
    no_better_than_base,
    worse_than_base,
)
from grla.study.compared import COMPARE, compared_study, recompared_study
from grla.study.confirm import CONFIRMED, CONFIRMING_SEEDS, confirming_study, read_base, trial_label
from grla.study.definition import OPEN_FIELDS, RATE, Cell, Profile, Study, load_study, study_names
from grla.study.layout import BASE, Changes, Factor, Group, Layout, layout_from_json, layout_to_json, level_text, vary
from grla.study.parameters import Choice, Float, Int, Parameter, Value, When
from grla.study.profiles import (
    QUICK,
    RATES_AROUND_THE_PAPERS,
    RECALL,
    SMOKE,
    STANDARD,
    UNMEASURED,
    recall_profiles,
    usual_profiles,
)
from grla.study.rates import RATES, best_rates, rates_study, shorter, tried_rates, wider
from grla.study.record import (
    CELL_COLUMNS,
    COSTS,
    CURVE_COLUMNS,
    GRADIENT_NORM,
    IMAGE_COLUMNS,
    MOSTLY_ELEMENTWISE,
    NESTED,
    VALIDATION_PSNR,
    ImageScore,
    Outcome,
    Record,
    Shown,
    cell_identity,
    picture_name,
    require_no_cells_inside,
    text_columns,
)
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
from grla.study.sizes import DIM, SIZE_TOLERANCE, Size
from grla.study.source import outside_code, source_hash
