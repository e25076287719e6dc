"""Real kernels under qemu: this machine's own files as their root, nothing installed, nothing kept."""
