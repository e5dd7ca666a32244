"""WITH WHAT RIGHT: connectors, their credentials, grants, and the handoff of refresh tokens."""
