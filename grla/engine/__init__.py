"""What runs a study: plan, workers, cells and their files, Optuna's storage."""

from grla.engine.cell import (
    CellRun,
    CellWatcher,
    Listener,
    TrainingJob,
    make_trainer,
    outcome_of,
    run_cell,
    train,
)
from grla.engine.cells import CellFolder, CellStore, open_cells, require_new_layout
from grla.engine.claiming import Worker, claimed_cells, run_claimed
from grla.engine.costs import counted_costs, measured_costs
from grla.engine.estimate import forecast
from grla.engine.material import (
    Material,
    TrainingMaterial,
    cached,
    cell_hash,
    cell_source,
    load_material,
    load_training_material,
)
from grla.engine.measuring import measure_variants
from grla.engine.plan import make_plan, named_cells
from grla.engine.processes import (
    USUAL,
    Arrangement,
    Execution,
    Machine,
    Progress,
    StopRequest,
    Work,
    arrange,
    attention_path,
    duration,
    read_ways,
    run_workers,
    team,
    threads_of,
)
from grla.engine.queue import WORKER, Queue, this_worker
from grla.engine.run import RunSettings, StudyRun, run_study, torchrun
from grla.engine.sizing import KEPT_DIMS, Matching, match_study
from grla.engine.status import describe_status, latest_name, planned_rates
from grla.engine.storage import FILE_NAME, GRACE_SECONDS, open_storage, planning, storage_named
