"""ON WHAT: groups, their members and messages, and which grant reaches which group."""
