"""The breach of week seven and its variants, drawn from a seed: a support agent's 49 days, and what becomes of them."""
