"""Tests of import resolution, one file per language."""
