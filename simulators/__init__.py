"""Devices that are not there: they speak real MQTT, and their signals fail on a known day."""
