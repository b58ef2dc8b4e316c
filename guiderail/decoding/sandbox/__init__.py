"""Runs a project's tests on an untrusted candidate text."""
