"""What a network costs: counted from its operations, and measured on this machine."""

from grla.cost.counts import Counts
from grla.cost.fresh import Answer, in_fresh_process
from grla.cost.interleaved import AGAIN, Turn, take_turns, time_in_turns
from grla.cost.laps import Laps
from grla.cost.latency import Latency, measure_latency
from grla.cost.macs import count, counts_by_module
from grla.cost.memory import Peak, is_out_of_memory, peak_memory, peak_memory_mib, process_peak_mib

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
    "in_fresh_process",
    "is_out_of_memory",
    "measure_latency",
    "peak_memory",
    "peak_memory_mib",
    "process_peak_mib",
    "take_turns",
    "time_in_turns",
]
