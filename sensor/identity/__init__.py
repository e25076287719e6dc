"""Whose behaviour it is: a cgroup becomes a container, a pod, a workload. Takes paths and sockets, returns Identity."""
