"""DOOR: the Platform Service (wire protocol §6). Modules parse, call one service or query, and spell the answer."""
