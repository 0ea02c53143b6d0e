"""One file per rule; RULES lists them in the order asked."""
