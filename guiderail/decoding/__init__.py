"""Decoding: sessions, methods, logits stages, constraints, drafters and stop rules."""
