"""Local code completion that static analysis keeps true."""

__version__ = "0.1.0"
