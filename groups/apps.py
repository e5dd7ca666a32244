from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class GroupsConfig(AppConfig):
    name = "groups"
    verbose_name = _("Groups")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Tells connectors who administers what a group token reaches."""
        from connectors import policy
        from connectors.models import Grant
        from groups.services.grants import administers

        policy.register_administration(Grant.Kind.GROUP, administers)
