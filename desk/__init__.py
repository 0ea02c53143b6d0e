"""The verbs: load, decide, keep."""
