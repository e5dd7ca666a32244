"""Demo data: an organisation to look around in, a connector to try programs with, and a database full of rows."""
