"""The receiver of telemetry: encodings, conventions, joining, who speaks, and the real exporter."""
