"""Constraints on what may be written next: the contract, masks, grammars, names and typed text."""
