"""Reports of drift: what the classifier answers, as one model, and that model as text, JSON, CSV, Markdown, HTML."""
