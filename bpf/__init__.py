"""C sources of the probes, as package data; the loader compiles them. Holds no Python."""
