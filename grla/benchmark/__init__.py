"""What networks and kernels cost, measured outside of a study."""

from grla.benchmark.counts import count_networks
from grla.benchmark.machine_load import other_work
from grla.benchmark.memory import REPEATS, BatchSize, measure_memory
from grla.benchmark.networks import slower_than_before, time_networks
from grla.benchmark.scaling import EVERY_KERNEL, Sweep, run_sweep
from grla.benchmark.training import TrainingTimes, time_training

__all__ = [
    "EVERY_KERNEL",
    "REPEATS",
    "BatchSize",
    "Sweep",
    "TrainingTimes",
    "count_networks",
    "measure_memory",
    "other_work",
    "run_sweep",
    "slower_than_before",
    "time_networks",
    "time_training",
]
