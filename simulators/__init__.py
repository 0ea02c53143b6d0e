"""Devices and people that are not there."""
