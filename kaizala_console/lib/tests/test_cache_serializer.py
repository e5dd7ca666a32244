"""The cache in Redis."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest
from django.core.cache import caches

pytestmark = pytest.mark.postgresql


class Attack:
    """Unpickled, it makes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


@pytest.mark.services
def test_the_cache_runs_nothing_that_somebody_put_into_redis(tmp_path: Path) -> None:
    cache = caches["default"]
    redis = cache._cache.get_client()  # type: ignore[attr-defined]
    redis.set(cache.make_key("trap"), pickle.dumps(Attack(tmp_path / "caught")))
    with pytest.raises(ValueError, match=r"decode|JSON|Expecting"):
        cache.get("trap")
    assert not (tmp_path / "caught").exists()
    cache.set("count", 1)
    cache.incr("count")
    cache.set("text", "é")
    assert cache.get_many(["count", "text"]) == {"count": 2, "text": "é"}
