from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class GroupsConfig(AppConfig):
    name = "groups"
    verbose_name = _("Groups")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Plugs into the apps below: who administers what a group token reaches, what Home offers, whose history."""
        from accounts import first_steps, hooks, needs, places, starts, whereabouts
        from accounts.audit import queries, values
        from connectors import ending_access, policies
        from connectors import hooks as reach
        from connectors.models import Grant
        from connectors.webhooks import objects
        from connectors.webhooks.events import ObjectType
        from groups import access, webhook_objects
        from groups.access import administers, administrators
        from groups.audit_values import WORDS
        from groups.first_steps import of_group_admin
        from groups.needs import requests_to_answer
        from groups.places import of_groups
        from groups.queries import bots
        from groups.queries import ending_access as ending_queries
        from groups.services import recounting
        from groups.starts import events_of_own_groups, let_a_connector_in
        from groups.whereabouts import name_of
        from groups.whereabouts import of_groups as where_groups_are

        needs.register(requests_to_answer)
        starts.register(let_a_connector_in)
        queries.register(events_of_own_groups)
        first_steps.register(of_group_admin)
        places.register(of_groups)
        whereabouts.register(where_groups_are)
        whereabouts.register_names("group", name_of)
        hooks.register(recounting.note_person)
        reach.register(access.role_of_tokens)
        reach.register_allows(access.tokens_may)
        reach.register_bots(reach.BotProvider(bots.places, bots.posts_since))
        ending_access.register(ending_queries.next_of)
        objects.register(ObjectType.GROUP, webhook_objects.group)
        objects.register(ObjectType.ACTION, webhook_objects.action)
        objects.register(ObjectType.ACTION_PACKAGE, webhook_objects.package)
        policies.register_administration(Grant.Kind.GROUP, administers)
        policies.register_administrators(Grant.Kind.GROUP, administrators)
        for field, words in WORDS.items():
            values.register(field, words)
