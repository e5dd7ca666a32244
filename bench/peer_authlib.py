"""A peer of the console: Authlib on Flask with SQLAlchemy, trading a refresh token and guarding a view.

Run by bench/servers.py alone. It keeps its tokens in clear, in PostgreSQL, as Authlib's own example does.
"""

import json
import os
import sys
import time
from typing import Any

from authlib.integrations.flask_oauth2 import AuthorizationServer, ResourceProtector, current_token
from authlib.integrations.sqla_oauth2 import (
    OAuth2ClientMixin,
    OAuth2TokenMixin,
    create_bearer_token_validator,
    create_query_client_func,
    create_save_token_func,
)
from authlib.oauth2.rfc6749 import grants
from flask import Flask, Response, jsonify
from flask_sqlalchemy import SQLAlchemy

application = Flask(__name__)
application.config["SQLALCHEMY_DATABASE_URI"] = os.environ["PEER_DATABASE_URL"]
db: Any = SQLAlchemy(application)
TOKENS = 16


class User(db.Model):
    id = db.Column(db.Integer, primary_key=True)
    number = db.Column(db.String(16))

    def get_user_id(self) -> int:
        return int(self.id)


class Client(db.Model, OAuth2ClientMixin):
    id = db.Column(db.Integer, primary_key=True)
    user_id = db.Column(db.Integer, db.ForeignKey("user.id"))
    user = db.relationship("User")


class Token(db.Model, OAuth2TokenMixin):
    id = db.Column(db.Integer, primary_key=True)
    user_id = db.Column(db.Integer, db.ForeignKey("user.id"))
    user = db.relationship("User")


class RefreshTokenGrant(grants.RefreshTokenGrant):
    TOKEN_ENDPOINT_AUTH_METHODS = ["client_secret_post"]

    def authenticate_refresh_token(self, refresh_token: str) -> Any:
        token = db.session.execute(db.select(Token).filter_by(refresh_token=refresh_token)).scalars().first()
        return token if token is not None and not token.is_revoked() else None

    def authenticate_user(self, refresh_token: Any) -> Any:
        return refresh_token.user

    def revoke_old_credential(self, refresh_token: Any) -> None:
        """It stays, as Kaizala's does."""


server = AuthorizationServer(
    application,
    query_client=create_query_client_func(db.session, Client),
    save_token=create_save_token_func(db.session, Token),
)
server.register_grant(RefreshTokenGrant)
protect = ResourceProtector()
protect.register_token_validator(create_bearer_token_validator(db.session, Token)())


@application.post("/token")
def token() -> Any:
    return server.create_token_response()


@application.get("/me")
@protect("read")
def me() -> Response:
    user = current_token.user
    return jsonify(id=str(user.id), mobileNumber=user.number, name="Asha", profilePic="")


def prepare() -> dict[str, str]:
    """A client with its tokens."""
    with application.app_context():
        db.create_all()
        db.session.add(User(id=1, number="+919820000001"))
        db.session.commit()
        client = Client(id=1, user_id=1, client_id="bench", client_secret="bench-secret", client_id_issued_at=0)
        client.set_client_metadata(
            {
                "grant_types": ["refresh_token"],
                "scope": "read",
                "token_endpoint_auth_method": "client_secret_post",
            }
        )
        db.session.add(client)
        for number in range(TOKENS):
            db.session.add(
                Token(
                    user_id=1,
                    client_id="bench",
                    token_type="Bearer",
                    access_token=f"access-{number}",
                    refresh_token=f"refresh-{number}",
                    scope="read",
                    issued_at=int(time.time()),
                    expires_in=86_400,
                )
            )
        db.session.commit()
    return {"client_id": "bench", "client_secret": "bench-secret"}


if __name__ == "__main__":
    json.dump(prepare(), sys.stdout)
