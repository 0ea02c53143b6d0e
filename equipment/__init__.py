"""What is installed at the customer, and what it tells us."""
