"""Puts the parts of the service together (create_app, later the listeners)."""
