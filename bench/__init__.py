"""What driftline costs. Measures on the machine that it runs on, prints and stores; asserts nothing about time."""
