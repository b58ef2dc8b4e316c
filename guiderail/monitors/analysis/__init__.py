"""Analysers: language servers after one asynchronous client."""
