"""What mails are about, so that people can choose which they want. An app above registers its own topics.

A template that belongs to no topic is always sent: a changed phone number, a leaked secret, a new key. Whoever takes an
account over must not be able to switch those off.
"""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.functional import Promise


@dataclass(frozen=True, slots=True)
class Topic:
    """One choice in the settings; `templates` are names below `templates/mail/`, without the ending."""

    key: str
    label: str | Promise
    help_text: str | Promise
    templates: frozenset[str]


_topics: dict[str, Topic] = {}


def register(topic: Topic) -> None:
    """Adds a topic; twice the same is once."""
    _topics[topic.key] = topic


def topics() -> list[Topic]:
    """All topics, in the order in which they were registered."""
    return list(_topics.values())


def topic_of(template: str) -> str:
    """The key of the topic that a template belongs to; "" for what is always sent."""
    return next((topic.key for topic in _topics.values() if template in topic.templates), "")
