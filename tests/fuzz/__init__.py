"""Every decoder of bytes that somebody else chose, against damaged and made-up input: one table, for pytest and `make fuzz`."""
