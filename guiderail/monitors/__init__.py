"""Monitors: what is legal at this point of the text, as constraints on decoding."""
