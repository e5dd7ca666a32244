from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class GroupsConfig(AppConfig):
    name = "groups"
    verbose_name = _("Groups")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Plugs into the apps below: who administers what a group token reaches, what Home offers, whose history."""
        from accounts import needs, starts, trail
        from connectors import policy, reach
        from connectors.models import Grant
        from groups import access
        from groups.needs import requests_to_answer
        from groups.services.grants import administers, administrators
        from groups.starts import events_of_own_groups, let_a_connector_in

        needs.register(requests_to_answer)
        starts.register(let_a_connector_in)
        trail.register(events_of_own_groups)
        reach.register(access.role_of_tokens)
        policy.register_administration(Grant.Kind.GROUP, administers)
        policy.register_administrators(Grant.Kind.GROUP, administrators)
