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
        from connectors import hooks as connector_hooks
        from groups import access
        from groups.audit_values import WORDS
        from groups.first_steps import of_group_admin
        from groups.needs import requests_to_answer
        from groups.places import of_groups
        from groups.queries import webhook_objects
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
        hooks.phone_verified = recounting.note_person
        connector_hooks.administers = access.administers
        connector_hooks.administrators = access.administrators
        connector_hooks.token_access = access.token_access
        connector_hooks.webhook_object = webhook_objects.find
        for field, words in WORDS.items():
            values.register(field, words)
