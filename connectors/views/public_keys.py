"""The public key of a connector: which one tokens are sealed to, registering another, removing it. For owners."""

from __future__ import annotations

from uuid import UUID

from django import forms
from django.contrib import messages
from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_GET, require_http_methods

from accounts.views.decorators import reauthentication_required, signed_in, user_of
from connectors import public_keys
from connectors.models import Connector, ConnectorKey
from connectors.queries import connectors
from connectors.services import public_keys as keys
from connectors.views import links, one_time_secrets
from connectors.views.forms import flash_refusals, show_refusals
from kaizala_console.lib.errors import NotFound


class KeyForm(forms.Form):
    """A public key, pasted or uploaded. What was pasted never stands in the page again: it may be the private one."""

    public_key = forms.CharField(
        label=gettext_lazy("Public key"),
        required=False,
        help_text=gettext_lazy("JWK, or PEM that begins with “-----BEGIN PUBLIC KEY-----”. X25519 or P-256."),
        widget=forms.Textarea(attrs={"rows": 5, "spellcheck": "false", "autocomplete": "off", "class": "mono"}),
        max_length=public_keys.LONGEST * 2,
    )
    key_file = forms.FileField(
        label=gettext_lazy("Or choose a file"),
        required=False,
        widget=forms.FileInput(attrs={"accept": ".pem,.pub,.json,.jwk"}),
    )

    @sensitive_variables("text")
    def text(self) -> str:
        """What is to be read as a key: the file when one was chosen, else what was pasted."""
        upload: UploadedFile | None = self.cleaned_data.get("key_file")
        if upload is None:
            return str(self.cleaned_data["public_key"])
        raw = upload.read(public_keys.LONGEST * 4 + 1)
        return raw.decode("utf-8", "replace")


@require_GET
@signed_in
def overview(request: HttpRequest, connector_id: UUID) -> HttpResponse:
    """The key that new tokens are sealed to, how to open them, and the keys before it."""
    connector, context = links.get_own(user_of(request), connector_id, "credentials")
    rows = list(connector.keys.select_related("created_by", "removed_by"))
    context |= {
        "key": next((row for row in rows if row.removed_at is None), None),
        "removed": [row for row in rows if row.removed_at is not None],
        "open_line": one_time_secrets.get_open_command(),
        "exchange": one_time_secrets.get_exchange_command(connector),
        "crumbs": links.connector_crumbs(connector, "credentials", "keys"),
    }
    return render(request, "connectors/keys.html", context)


@sensitive_post_parameters("public_key")
@require_http_methods(["GET", "POST"])
@reauthentication_required(on_get=True, button_label=gettext_lazy("Register key"))
def add(request: HttpRequest, connector_id: UUID) -> HttpResponse:
    """Paste, upload, or make one in the browser; twice is once."""
    user = user_of(request)
    connector = connectors.get_own_connector(user, connector_id)
    form = KeyForm()
    if request.method == "POST":
        sent = KeyForm(request.POST, request.FILES)
        if sent.is_valid():
            with show_refusals(sent, "public_key"):
                key = keys.register(connector=connector, by=user, public_key=sent.text())
                says = _("Key registered. New refresh tokens are sealed to %(fingerprint)s.")
                messages.success(request, says % {"fingerprint": key.fingerprint})
                return redirect("connectors:keys", connector_id)
        # Bound to nothing of what was sent: a private key does not even go back to where it came from.
        form = KeyForm({})
        form.errors.update(sent.errors)
    context = {
        "connector": connector,
        "form": form,
        "replaces": connector.keys.live().first(),
        "file": one_time_secrets.get_file_name(connector.name),
        "crumbs": links.connector_crumbs(connector, "credentials", "keys", here=_("Register a key")),
    }
    return render(request, "connectors/key_add.html", context, status=400 if form.is_bound else 200)


@require_http_methods(["GET", "POST"])
@reauthentication_required(button_label=gettext_lazy("Remove key"))
def remove(request: HttpRequest, connector_id: UUID, key_id: int) -> HttpResponse:
    """GET tells what would happen, POST does it."""
    user = user_of(request)
    key = _own_key(connectors.get_own_connector(user, connector_id), key_id)
    if request.method == "POST":
        with flash_refusals(request):
            keys.remove(key=key, by=user)
            messages.success(request, _("Key removed. New tokens are sealed with the console’s own keys."))
        return redirect("connectors:keys", connector_id)
    if key.removed_at:
        messages.info(request, _("This key is already removed."))
        return redirect("connectors:keys", connector_id)
    crumbs = links.connector_crumbs(key.connector, "credentials", "keys", here=_("Remove the key"))
    context = {"connector": key.connector, "key": key, "crumbs": crumbs}
    return render(request, "connectors/key_remove.html", context)


def _own_key(connector: Connector, key_id: int) -> ConnectorKey:
    key = connector.keys.filter(pk=key_id).first()
    if key is None:
        raise NotFound
    key.connector = connector
    return key
