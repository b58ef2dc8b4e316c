"""Tokens and keys in a text, by the rules of gitleaks."""
