"""What the cache keeps in Redis is JSON: Django's own serializer unpickles, which runs what was put there."""

import json
from typing import Any


class JsonSerializer:
    """For `OPTIONS["serializer"]` of Django's Redis cache. A whole number is its digits, so that Redis can count."""

    def dumps(self, value: Any) -> bytes:
        return json.dumps(value).encode()

    def loads(self, data: bytes) -> Any:
        """Return what `dumps` wrote. Raises ValueError for anything else."""
        return json.loads(data)
