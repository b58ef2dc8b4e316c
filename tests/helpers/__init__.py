"""What many tests share: tiny models and tokenizers made on the spot."""
