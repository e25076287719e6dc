"""What a workload did: kernel rows become windows and events. Takes arrays, returns records."""
