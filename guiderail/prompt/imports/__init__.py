"""The imports of a file from its own project, for each language."""
