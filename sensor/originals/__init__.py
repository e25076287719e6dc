"""Whole texts of agents, sealed for one key as they are read. Off unless a recipient is named; nothing here can open them."""
