"""Laws of models in GGUF files."""
