"""What an agent said to models and tools. Takes the bytes of its connections, returns records; no kernel, no clock, no I/O."""
