"""The facts about each language: a file for a language or family, a list of all (`known`), tables by fact (`table`)."""
