"""Where things are kept: one engine per file."""
