"""What a network costs: counted from its operations, and measured on this machine."""

from grla.cost.latency import Latency, measure_latency
from grla.cost.macs import Counts, count
from grla.cost.memory import peak_memory_mib, process_peak_mib

__all__ = ["Counts", "Latency", "count", "measure_latency", "peak_memory_mib", "process_peak_mib"]
