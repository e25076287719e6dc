"""How well links hold, and what they find: made traces with a known truth, and runs of agents that nobody here made."""
