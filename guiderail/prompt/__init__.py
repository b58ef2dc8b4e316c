"""What the model is asked: fill-in-the-middle layouts, cross-file context, token budgets."""
