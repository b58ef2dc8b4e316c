"""Drafters; each file is one."""
