"""driftline beside what could be installed instead: the same loads, in turn, in one place that is watched and one that is not."""
