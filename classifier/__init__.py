"""Without privileges: frames in, envelopes and findings out."""
