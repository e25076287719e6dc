"""What kind of agent a workload is, and what such agents share. Takes envelopes and pins, returns plain values; labels nothing."""
