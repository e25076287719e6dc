"""What can break, what is lost then, and who is told. Takes faults, returns rows of docs/faults.md."""
