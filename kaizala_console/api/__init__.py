"""What every endpoint of the Kaizala wire protocol shares. Imports no app."""
