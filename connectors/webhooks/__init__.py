"""Telling programs what happened (wire protocol §6, Webhooks), at least once and in order."""
