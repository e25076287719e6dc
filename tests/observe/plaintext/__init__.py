"""What finds libraries, climbs the ladder and keeps streams, without a kernel."""
