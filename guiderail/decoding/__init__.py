"""Sessions, methods, logits stages, constraints and stop rules."""
