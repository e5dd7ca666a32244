"""An organisation that has moved to another console: programs are sent there (wire protocol §1)."""

from __future__ import annotations

from kaizala_console.api.errors import ApiError


class PermanentRedirect(ApiError):
    """308 Permanent Redirect: the same request, with method and body, at the organisation's new address."""

    status = 308
    error_code = "PermanentRedirect"
    error_category_key = "RedirectException"
    default_message = "This organisation has moved. Send the same request to the address in the Location header."

    def __init__(self, base_url: str, path: str) -> None:
        super().__init__(headers={"Location": f"{base_url.rstrip('/')}/{path.lstrip('/')}"})
