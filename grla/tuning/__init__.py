"""What runs a search: trials decided, priced, trained and pruned."""
