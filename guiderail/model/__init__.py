"""Find and load a model: weights, tokenizer with exact bytes, device, forward pass."""
