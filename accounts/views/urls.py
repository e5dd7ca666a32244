"""The addresses of this app's pages. Included at the root: each stands here in full."""

from django.conf import settings as django_settings
from django.urls import URLPattern, path
from django.views.generic import RedirectView

from accounts.views import login, office365, organisation, phones, reauthentication, sandbox, sessions, settings, totp

app_name = "accounts"

urlpatterns: list[URLPattern] = [
    path("console/signed-out/", login.signed_out, name="signed_out"),
    # Before allauth's own, which does not check the id token's signature.
    path("accounts/oidc/office365/login/callback/", office365.callback, name="office365_callback"),
    path("console/sign-in-again/", reauthentication.sign_in_again, name="sign_in_again"),
    path("console/confirm/", reauthentication.confirm, name="confirm"),
    path("console/settings/", settings.settings, name="settings"),
    path("console/settings/sessions/", sessions.sessions, name="sessions"),
    path("console/settings/sessions/end-others/", sessions.end_others, name="sessions_end_others"),
    path("console/settings/sessions/<str:session_id>/end/", sessions.end, name="session_end"),
    path("console/settings/mail/", settings.save_mail, name="settings_mail"),
    path("console/settings/language/", settings.save_language, name="settings_language"),
    path("console/settings/authenticator-app/set-up/", totp.set_up, name="authenticator_set_up"),
    path("console/settings/authenticator-app/remove/", totp.remove, name="authenticator_remove"),
    path("console/organisation/", organisation.organisation, name="organisation"),
    path("console/organisation/policy/", organisation.save_policy, name="organisation_policy"),
    path("console/phones/", RedirectView.as_view(pattern_name="accounts:settings"), name="phones"),
    path("console/phones/add/", phones.add, name="phone_add"),
    path("console/phones/pin/<int:device_id>/", phones.pin, name="phone_pin"),
    path("console/phones/pin/<int:device_id>/again/", phones.pin_again, name="phone_pin_again"),
    path("console/phones/<int:phone_id>/primary/", phones.make_primary, name="phone_primary"),
    path("console/phones/<int:phone_id>/release/", phones.release, name="phone_release"),
]

if django_settings.SANDBOX:
    urlpatterns += [
        path("sandbox/sms", sandbox.sms, name="sms"),
        path("sandbox/identities", sandbox.identities, name="identities"),
        # Before allauth's own: see the view.
        path("accounts/dummy/authenticate/", sandbox.authenticate, name="dummy_authenticate"),
    ]
