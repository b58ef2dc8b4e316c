"""The language server for Java."""
