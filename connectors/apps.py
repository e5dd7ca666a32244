from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class ConnectorsConfig(AppConfig):
    """Plugs into the app below: what waits for a developer, and which history a developer may read."""

    name = "connectors"
    verbose_name = _("Connectors")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Registers the providers, once the models are there."""
        from accounts import first_steps, mail_topics, needs, places, whereabouts
        from accounts.audit import queries, values
        from connectors.audit_values import WORDS
        from connectors.first_steps import of_developer
        from connectors.mail_topics import TOPICS
        from connectors.needs import events_of_own_connectors, of_owner, user_tokens_to_confirm
        from connectors.places import of_connectors
        from connectors.whereabouts import name_of
        from connectors.whereabouts import of_connectors as where_connectors_are

        needs.register(of_owner)
        needs.register(user_tokens_to_confirm)
        queries.register(events_of_own_connectors)
        first_steps.register(of_developer)
        places.register(of_connectors)
        whereabouts.register(where_connectors_are)
        whereabouts.register_names("connector", name_of)
        for topic in TOPICS:
            mail_topics.register(topic)
        for field, words in WORDS.items():
            values.register(field, words)
