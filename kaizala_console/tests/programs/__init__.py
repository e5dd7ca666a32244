"""Programs as they were written between 2017 and 2023. They know nothing of this house, and only their host changes."""
