"""Handlers of what a client sends, one module per subject."""
