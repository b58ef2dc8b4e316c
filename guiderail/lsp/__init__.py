"""The language server: completion as people type."""
