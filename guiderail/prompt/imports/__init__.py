"""What a file imports from its own project, language by language."""
