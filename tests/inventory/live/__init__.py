"""Show 3 with real processes: an agent that changes its model and side-loads a tool server, asked at three moments."""
