"""Networks and kernels measured outside of a study."""
