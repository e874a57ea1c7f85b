"""Which differences are real: intervals, verdicts, power, repeated looks."""
