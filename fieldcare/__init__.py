"""Put together: settings, wiring, logs and the command line."""
