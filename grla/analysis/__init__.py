"""Looking into trained networks, and at what kernels compute."""
