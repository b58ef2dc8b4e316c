"""Analysers: language servers behind one asynchronous client."""
