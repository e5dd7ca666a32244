"""The pages of this app for operators: importing a module registers its models."""

from accounts.admin import (
    confirmed_act,
    read_only,
    second_factor,
    site,
    users,
)

__all__ = [
    "confirmed_act",
    "read_only",
    "second_factor",
    "site",
    "users",
]
