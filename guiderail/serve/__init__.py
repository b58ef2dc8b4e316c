"""The HTTP server: endpoints that other editor plug-ins and the `openai` client speak."""
