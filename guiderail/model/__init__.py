"""Find and load a model: weights, tokenizer with exact bytes, device, forward pass."""

import os

# OpenMP reads this once, when torch is loaded. Threads that spin while they wait fight the user's compiler and
# language server for the cores: on two busy cores a decode step took ten times as long as with sleeping threads.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
