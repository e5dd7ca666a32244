"""The audit trail: its events, the one way to write it (`record`), and what a row says to people (`sentences`)."""
