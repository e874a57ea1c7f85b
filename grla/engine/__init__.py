"""What runs a study: plan, workers, cells, storage."""
