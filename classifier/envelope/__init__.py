"""What is normal for a workload: learnt from windows, merged in any order, aged."""
