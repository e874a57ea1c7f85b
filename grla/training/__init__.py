"""Training any super-resolution model within a budget."""
