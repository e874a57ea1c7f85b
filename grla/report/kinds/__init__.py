"""The kinds of reports: study, search, benchmark, fidelity, claims."""
