"""Plaintext of TLS, from the processes of watched workloads to records. Bytes come in from the kernel and leave only as records."""
