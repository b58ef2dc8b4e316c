"""Analysers: language servers, each with an asynchronous client."""
