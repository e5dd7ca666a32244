"""Sign-in with Office365: allauth's OpenID Connect, with the id token checked as OpenID Connect Core §3.1.3.7 says.

allauth takes an id token that came over TLS without looking at its signature, and sends no nonce.
"""

from __future__ import annotations

import hashlib
from typing import Any, Final

from allauth.account.internal.decorators import login_not_required
from allauth.socialaccount.adapter import get_adapter
from allauth.socialaccount.models import SocialApp
from allauth.socialaccount.providers.oauth2.client import OAuth2Error
from allauth.socialaccount.providers.oauth2.views import OAuth2CallbackView
from allauth.socialaccount.providers.openid_connect.provider import OpenIDConnectProvider
from allauth.socialaccount.providers.openid_connect.views import OpenIDConnectOAuth2Adapter
from django.http import Http404, HttpRequest, HttpResponseBase
from django.views.decorators.http import require_GET
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

PROVIDER_ID: Final = "office365"
ALGORITHMS: Final = ["RS256"]  # what Entra signs with; never "none", never a shared secret
CLOCK_SKEW_SECONDS: Final = 60


class Office365Adapter(OpenIDConnectOAuth2Adapter):
    """Checks who answered, and the whole id token."""

    nonce = ""

    @property
    def issuers(self) -> list[str]:
        issuer = self.openid_config["issuer"]
        return issuer if isinstance(issuer, list) else [issuer]

    def get_access_token_data(self, request: HttpRequest, app: Any, client: Any, pkce_code_verifier: Any = None) -> Any:
        """Trades the code, unless another issuer answered (`iss`, RFC 9207 §2.4)."""
        answered_by = request.GET.getlist("iss")
        required = self.openid_config.get("authorization_response_iss_parameter_supported") is True
        if (answered_by or required) and (len(answered_by) != 1 or answered_by[0] not in self.issuers):
            raise OAuth2Error("The answer comes from another issuer.")
        self.nonce = derive_nonce(pkce_code_verifier)
        return super().get_access_token_data(request, app, client, pkce_code_verifier=pkce_code_verifier)

    def complete_login(self, request: HttpRequest, app: Any, token: Any, **kwargs: Any) -> Any:
        """Signs in whom the id token names. Raises OAuth2Error when it is missing or wrong."""
        id_token = kwargs["response"].get("id_token")
        claims = self._verified_claims(app.client_id, id_token if isinstance(id_token, str) else "")
        return self.get_provider().sociallogin_from_response(request, {"id_token": claims})

    def _verified_claims(self, client_id: str, id_token: str) -> dict[str, Any]:
        rules = jwt.JWTClaimsRegistry(
            leeway=CLOCK_SKEW_SECONDS,
            iss={"essential": True, "values": self.issuers},
            aud={"essential": True, "value": client_id},
            sub={"essential": True},
            exp={"essential": True},
            iat={"essential": True},
            nonce={"essential": True, "value": self.nonce},
        )
        try:
            claims = jwt.decode(id_token, self._signing_keys(), algorithms=ALGORITHMS).claims
            rules.validate(claims)
        except (JoseError, ValueError) as error:
            raise OAuth2Error("The id token is not valid.") from error
        return claims

    def _signing_keys(self) -> KeySet:
        with get_adapter().get_requests_session() as session:
            published = session.get(self.openid_config["jwks_uri"]).json()
        keys = [key for key in published["keys"] if key.get("kty") == "RSA" and key.get("use", "sig") == "sig"]
        return KeySet.import_key_set({"keys": keys})


class Office365Provider(OpenIDConnectProvider):
    """Sends a nonce with each sign-in."""

    package = "allauth.socialaccount.providers.openid_connect"  # whose addresses it has
    oauth2_adapter_class = Office365Adapter

    def get_pkce_params(self) -> dict[str, Any]:
        parameters = super().get_pkce_params()
        return {**parameters, "nonce": derive_nonce(parameters["code_verifier"])}


@require_GET
@login_not_required
def callback(request: HttpRequest) -> HttpResponseBase:
    try:
        answer: HttpResponseBase = OAuth2CallbackView.adapter_view(Office365Adapter(request, PROVIDER_ID))(request)
    except SocialApp.DoesNotExist:  # a sandbox has no Office365
        raise Http404 from None
    return answer


def derive_nonce(code_verifier: str) -> str:
    """The nonce of a sign-in: a digest of the secret that its session holds (OpenID Connect Core §15.5.2)."""
    return hashlib.sha256(f"nonce:{code_verifier}".encode()).hexdigest()
