"""Monitors: constraints on decoding, from what static analysis says is legal at a point of the text."""
