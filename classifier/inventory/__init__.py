"""What a workload was made of, and when. Takes records, keeps items with spans of time, returns plain values."""
