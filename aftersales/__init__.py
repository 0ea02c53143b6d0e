"""What we owe the customer."""
