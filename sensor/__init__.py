"""Runs on the node with privileges: kernel maps in, frames out. No web framework, no learning, no database."""
