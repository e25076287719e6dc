"""What a person or a program calls: settings, command line, metrics, demo."""
