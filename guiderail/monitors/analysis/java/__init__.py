"""The language server for Java that guiderail brings."""
