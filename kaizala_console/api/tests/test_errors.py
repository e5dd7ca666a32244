"""The protocol's table of errors."""

import json

import pytest

from kaizala_console.api import errors

# Wire protocol §3, typed from the page: status, errorCode, errorCategoryKey.
TABLE = [
    (errors.TokenMissing(), 401, "InvalidToken", "AuthException"),
    (errors.TokenInvalid(), 401, "InvalidToken", "AuthException"),
    (errors.WrongConnectorCredentials(), 401, "Unauthenticated", "AuthException"),
    (errors.RefreshTokenRefused("Expired."), 401, "InvalidToken", "AuthException"),
    (errors.PermissionMissing("Text Message"), 403, "Unauthorized", "AuthException"),
    (errors.GroupNotReachable(), 403, "Unauthorized", "AuthException"),
    (errors.InvalidParameters("name is missing."), 400, "InvalidParameters", "ValidationException"),
    (errors.UnknownResource(), 404, "NotFound", "NotFoundException"),
    (errors.UnsupportedMediaType([".jpg", ".png"]), 415, "UnsupportedMediaType", "ValidationException"),
    (errors.PayloadTooLarge(), 413, "PayloadTooLarge", "ValidationException"),
    (errors.Throttled(retry_after=7), 429, "TooManyRequests", "ThrottlingException"),
    (errors.MethodNotAllowed(["GET", "PUT"]), 405, "MethodNotAllowed", "ValidationException"),
]


@pytest.mark.parametrize(("problem", "status", "code", "category"), TABLE, ids=lambda value: type(value).__name__)
def test_every_row_is_answered_as_the_protocol_writes_it(
    problem: errors.ApiError, status: int, code: str, category: str
) -> None:
    response = problem.response()
    body = json.loads(response.content)
    assert response.status_code == status
    assert response["Content-Type"] == "application/json; charset=utf-8"
    assert list(body) == ["message", "errorCode", "errorCategoryKey"]
    assert (body["errorCode"], body["errorCategoryKey"]) == (code, category)
    assert body["message"]


def test_the_texts_that_programs_match_are_the_protocols_to_the_letter() -> None:
    assert str(errors.TokenMissing()) == "Token missing. Header should have token as value of ACCESSTOKEN"
    assert "Invalid token. Failure reason:Token validation failed due to unknown reason!" in str(errors.TokenInvalid())
    assert str(errors.WrongConnectorCredentials()) == "Dont have correct applicationId and secret in header!"


def test_rows_that_the_protocol_wants_specific_are() -> None:
    assert "Text Message" in str(errors.PermissionMissing("Text Message", "textmessage.write"))
    assert ".jpg, .png" in str(errors.UnsupportedMediaType([".jpg", ".png"]))
    assert errors.Throttled(retry_after=7).response()["Retry-After"] == "7"
    assert errors.Throttled(retry_after=0).response()["Retry-After"] == "1"
    assert errors.MethodNotAllowed(["GET", "PUT"]).response()["Allow"] == "GET, PUT"
