"""What runs a study: plan, workers, cells, storage."""

from grla.engine.cell import CellWatcher, outcome_of, train
from grla.engine.claiming import Workplace, run_plan
from grla.engine.estimate import estimate
from grla.engine.execution import Execution, read_ways
from grla.engine.identity import this_worker
from grla.engine.matching import KEPT_DIMS, Matching, match_study
from grla.engine.material import Material, TrainingMaterial, cell_hash, load_material, load_training_material
from grla.engine.plan import make_plan, named_cells
from grla.engine.pricing import counted_costs, measured_costs
from grla.engine.progress import StopRequest, TrialsProgress, duration
from grla.engine.queue import WORKER, Queue
from grla.engine.record import CellFolders, Listener
from grla.engine.run import choose_device, run_study
from grla.engine.status import describe_status, latest_name
from grla.engine.storage import FILE_NAME, GRACE_SECONDS, open_storage, planning, storage_url
from grla.engine.together import run_together
from grla.engine.trainers import make_trainer
from grla.engine.work import Crew, StudyRun, storage_named
from grla.engine.workers import run_workers

__all__ = [
    "FILE_NAME",
    "GRACE_SECONDS",
    "KEPT_DIMS",
    "WORKER",
    "CellFolders",
    "CellWatcher",
    "Crew",
    "Execution",
    "Listener",
    "Matching",
    "Material",
    "Queue",
    "StopRequest",
    "StudyRun",
    "TrainingMaterial",
    "TrialsProgress",
    "Workplace",
    "cell_hash",
    "choose_device",
    "counted_costs",
    "describe_status",
    "duration",
    "estimate",
    "latest_name",
    "load_material",
    "load_training_material",
    "make_plan",
    "make_trainer",
    "match_study",
    "measured_costs",
    "named_cells",
    "open_storage",
    "outcome_of",
    "planning",
    "read_ways",
    "run_plan",
    "run_study",
    "run_together",
    "run_workers",
    "storage_named",
    "storage_url",
    "this_worker",
    "train",
]
