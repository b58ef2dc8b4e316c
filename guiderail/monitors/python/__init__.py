"""What a Python project can import: its interpreter, its folders, what it requires and what is installed."""
