"""Tests of the HTTP server; tests/editors drives its real clients."""
