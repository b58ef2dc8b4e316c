"""Next edits: what follows from a change of a declaration, found by an analyser and rewritten by syntax."""
