"""Studies, each a module that bears the name of its command: ``guiderail eval NAME``."""
