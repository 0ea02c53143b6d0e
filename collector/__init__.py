"""Messages in, from our own endpoint, a broker or a file."""
