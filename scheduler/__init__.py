"""Who goes where today, in which order, and why not."""
