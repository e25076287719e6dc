"""The audit trail: rows that nobody can change unseen, made from what the classifier kept, and checked by anybody."""
