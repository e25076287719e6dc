"""What a container as uid 0 may try, tried: each claim of docs/threat-model.md that no other test shows."""
