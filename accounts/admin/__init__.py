"""The pages of this app for operators: importing a module registers its models."""

from accounts.admin import base, second_factor, site, users

__all__ = ["base", "second_factor", "site", "users"]
