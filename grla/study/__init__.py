"""Studies: their definition, the running of one cell, and the engine that runs them all."""
