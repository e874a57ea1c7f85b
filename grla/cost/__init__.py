"""What a network costs: counted from its operations, and measured on this machine."""

from grla.cost.agreement import agreed_macs
from grla.cost.child import Answer, Outcome, fresh_processes, run_in_child
from grla.cost.counts import Counts
from grla.cost.decoder import readings
from grla.cost.definition import definition_of, plain_torch
from grla.cost.gpu_timing import warm_up
from grla.cost.interleaved import AGAIN, Turn, take_turns, time_in_turns, time_on
from grla.cost.laps import Laps
from grla.cost.latency import Latency, device_of, measure_latency, suited
from grla.cost.machine import Roofs, measure_roofs
from grla.cost.macs import count, counts_by_module
from grla.cost.memory import (
    Peak,
    is_out_of_memory,
    map_every_tensor,
    peak_memory,
    peak_memory_mib,
    process_peak_mib,
    quick_collection,
)
from grla.cost.scaling import Timing, find_crossover, fit_exponent, one_pass, predict, time_pass, weigh_pass
from grla.cost.tree import count_tree
