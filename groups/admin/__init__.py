"""The pages of this app for operators: importing a module registers its models."""

from groups.admin import (
    groups,
)

__all__ = [
    "groups",
]
