"""What guiderail knows of each language: a file for a language or family, one table of all (`table`)."""
