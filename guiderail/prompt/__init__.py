"""The prompt: fill-in-the-middle layouts, cross-file context, token budgets."""
