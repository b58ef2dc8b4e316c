"""Proposing tokens that one forward pass verifies; each drafter is one file."""
