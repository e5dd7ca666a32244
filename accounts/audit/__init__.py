"""The audit trail: names (`tags`), the one way to write (`record`), and what a row says to people (`sentences`)."""
