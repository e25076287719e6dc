"""What the inventory says of a workload, through the real pipeline."""
