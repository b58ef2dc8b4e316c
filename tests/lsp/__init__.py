"""Tests of the language server; test_process.py starts real processes."""
