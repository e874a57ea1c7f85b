"""What a network costs: counted from its operations, and measured on this machine."""

from grla.cost.interleaved import Turn, time_in_turns
from grla.cost.latency import Latency, measure_latency
from grla.cost.macs import Counts, count
from grla.cost.memory import is_out_of_memory, peak_memory_mib, process_peak_mib

__all__ = [
    "Counts",
    "Latency",
    "Turn",
    "count",
    "is_out_of_memory",
    "measure_latency",
    "peak_memory_mib",
    "process_peak_mib",
    "time_in_turns",
]
