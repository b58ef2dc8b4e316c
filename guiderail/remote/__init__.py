"""A model in another process: llama.cpp's server, vLLM, or another that speaks OpenAI's completions."""
