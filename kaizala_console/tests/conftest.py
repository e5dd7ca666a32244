"""What the tests of the whole console share."""

from __future__ import annotations

import pytest

from kaizala_console.tests.whole_world import World, make_world


@pytest.fixture
def whole_world(db: None) -> World:
    """Something of everything."""
    return make_world()
