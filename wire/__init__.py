"""The words that cross a process boundary, how they are written, and what carries them. Knows nothing of meaning."""
