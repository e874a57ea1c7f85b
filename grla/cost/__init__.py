"""What a network costs: counted from its operations, and measured on this machine."""

from grla.cost.counts import Counts
from grla.cost.interleaved import Turn, time_in_turns
from grla.cost.latency import Latency, measure_latency
from grla.cost.macs import count, counts_by_module
from grla.cost.memory import peak_memory_mib, process_peak_mib

__all__ = [
    "Counts",
    "Latency",
    "Turn",
    "count",
    "counts_by_module",
    "measure_latency",
    "peak_memory_mib",
    "process_peak_mib",
    "time_in_turns",
]
