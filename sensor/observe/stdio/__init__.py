"""MCP over pipes and socketpairs, from what processes of watched workloads read to records. Bytes leave only as records."""
