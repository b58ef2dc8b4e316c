"""Tests; they mirror guiderail/ one to one."""
