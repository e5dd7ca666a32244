"""Shared tools of the frame. Imports no app, and nothing from the wire."""
