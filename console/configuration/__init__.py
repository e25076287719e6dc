"""What a configuration may say, and how a text of it becomes checked values. Knows no program that uses them."""
