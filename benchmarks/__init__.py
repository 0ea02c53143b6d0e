"""Measured claims: each module prints a table."""
