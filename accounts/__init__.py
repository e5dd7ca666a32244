"""WHO: people, their sign-in, their phones, and the record of what they did."""
