"""Clients that agents are made with, in real containers: whose calls are read, and who is said to be unread."""
