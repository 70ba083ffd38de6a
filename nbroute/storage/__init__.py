"""What is kept in SQLite files: the ledger with its labels and budgets, and the cache."""
