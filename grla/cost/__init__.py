"""What a network costs: counted from its operations, and measured on this machine."""

from grla.cost.child import Answer, run_in_child
from grla.cost.counts import Counts
from grla.cost.interleaved import AGAIN, Turn, take_turns, time_in_turns
from grla.cost.laps import Laps
from grla.cost.latency import Latency, measure_latency
from grla.cost.macs import count, counts_by_module
from grla.cost.memory import Peak, is_out_of_memory, map_every_tensor, peak_memory, peak_memory_mib, process_peak_mib

__all__ = [
    "AGAIN",
    "Answer",
    "Counts",
    "Laps",
    "Latency",
    "Peak",
    "Turn",
    "count",
    "counts_by_module",
    "is_out_of_memory",
    "map_every_tensor",
    "measure_latency",
    "peak_memory",
    "peak_memory_mib",
    "process_peak_mib",
    "run_in_child",
    "take_turns",
    "time_in_turns",
]
