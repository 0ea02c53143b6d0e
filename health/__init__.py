"""Is a device well: rules on readings, and their alarms."""
