"""The pages of this app for operators: importing a module registers its models."""

from connectors.admin import connectors, people, usage, webhooks

__all__ = [
    "connectors",
    "logos",
    "people",
    "usage",
    "webhooks",
]
