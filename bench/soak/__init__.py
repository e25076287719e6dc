"""Two hours of known loads under a real sensor and a real classifier: does memory grow, do counters drift from the kernel's own."""
