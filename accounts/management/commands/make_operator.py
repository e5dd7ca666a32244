"""Gives the first operator their right: until there is one, nobody can give it in the operators' pages."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.audit.record import SYSTEM
from accounts.models import User
from accounts.services import users
from kaizala_console.lib.errors import Conflict


class Command(BaseCommand):
    help = "Let an account that has signed in once work in the operators' pages (/operators/)."

    def add_arguments(self, parser: CommandParser) -> None:
        """An e-mail address can change hands, so it must name one account alone; the subject always does."""
        parser.add_argument("account", help="the e-mail address, or the subject (<tenant id>:<object id>)")

    def handle(self, *args: Any, **options: Any) -> None:
        named = options["account"].strip()
        found = list(User.objects.filter(subject=named) or User.objects.filter(email__iexact=named))
        if not found:
            raise CommandError(f"No account is known as {named!r}. They have to sign in to the console once, first.")
        if len(found) > 1:
            subjects = "\n".join(f"  {user.subject}  {user.name}" for user in found)
            raise CommandError(f"Several accounts have this address. Name one by its subject:\n{subjects}")
        try:
            users.set_roles(user=found[0], is_staff=True, by=SYSTEM)
        except Conflict as already:
            raise CommandError(f"{found[0].name} is an operator already.") from already
        self.stdout.write(f"{found[0].name} is an operator now: /operators/ asks for an authenticator app.")
