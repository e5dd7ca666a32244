from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class GroupsConfig(AppConfig):
    name = "groups"
    verbose_name = _("Groups")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Sets the hooks of the apps below, which do not import this one."""
        from accounts import hooks
        from connectors import hooks as connector_hooks
        from groups import access
        from groups.services import hierarchy, webhooks

        hooks.phone_verified = hierarchy.note_person
        connector_hooks.administers = access.administers
        connector_hooks.administrators = access.administrators
        connector_hooks.token_access = access.token_access
        connector_hooks.webhook_object = webhooks.find_object
