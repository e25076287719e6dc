"""What may explain a change: deploy events, how they arrive and why they are believed."""
