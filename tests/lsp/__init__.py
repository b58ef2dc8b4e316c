"""Tests of the language server; test_server.py starts real processes."""
