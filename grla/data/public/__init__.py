"""Public image sets, from their authors' servers to folders that studies can use."""
