"""What agents say of themselves by OTLP/HTTP. Bodies in, events of the stream out; the kernel says who spoke."""
