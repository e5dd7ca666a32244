"""What this app tells the app above, which it does not import: `groups` sets it in its `AppConfig.ready()`."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

# A person's number was verified for the first time: the wire's `isProvisioned` is true from now on. Called inside the
# transaction of the verification.
phone_verified: Callable[[UUID], None]
