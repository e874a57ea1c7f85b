"""Processes and threads of one machine: how many there are, what each computes with, what is seen of them."""

from grla.engine.processes.arrangement import Arrangement, Machine, Work, arrange, threads_of
from grla.engine.processes.execution import USUAL, Execution, read_ways
from grla.engine.processes.paths import attention_path, planned_path
from grla.engine.processes.progress import Progress, StopRequest, duration
from grla.engine.processes.team import team, torchrun_group
from grla.engine.processes.workers import run_workers
