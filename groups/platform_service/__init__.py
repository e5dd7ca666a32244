"""DOOR: the Platform Service (wire protocol §6). Each module parses, calls one service or query, and spells the answer."""
