"""Where kernel state is had: what probes exist, how they are loaded and pinned, how their maps are read."""
