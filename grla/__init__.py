"""GRLA: which attention is worth it in lightweight image super-resolution, and is the difference real?"""

import os

# Threads that wait for work sleep instead of spinning, which on a busy machine makes them wait for each other ten times
# as long. OpenMP reads it when PyTorch is loaded, in this process and those that it starts; what a user has set counts.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
