"""What networks and kernels cost, measured outside of a study."""

from grla.benchmark.counts import count_networks
from grla.benchmark.exported import ONNX, OPSET, PROGRAM, require_suffix, write_onnx, write_program
from grla.benchmark.gpu_check import check_gpu, what_is_checked
from grla.benchmark.gpu_checks import Subject
from grla.benchmark.machine_load import other_work
from grla.benchmark.memory import REPEATS, BatchSize, measure_memory
from grla.benchmark.networks import slower_than_before, time_networks
from grla.benchmark.scaling import EVERY_KERNEL, Sweep, run_sweep
from grla.benchmark.throughput import Throughput, measure_throughput
from grla.benchmark.training import TrainingTimes, time_training
