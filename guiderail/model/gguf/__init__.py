"""Models in GGUF files: llama.cpp's format, one file with weights, configuration and vocabulary."""
