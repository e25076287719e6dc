"""What survives a kill: SQLite, schema steps forward only."""
