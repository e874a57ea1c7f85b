"""What runs a search: trials decided, priced, trained and pruned."""

from grla.tuning.run import TuningRun, run_tuning
