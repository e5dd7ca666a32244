"""The look at many doors in one world finds what is wrong at any of them, and keeps them apart."""

import pytest

from accounts.models import Organisation
from kaizala_console.tests.at_each import at_each

pytestmark = [pytest.mark.django_db, pytest.mark.once]


def test_what_is_wrong_at_some_is_told_with_their_names() -> None:
    def at(name: str) -> None:
        assert name == "right"

    with pytest.raises(AssertionError, match=r"^first: (?s:.*)\n\nlast: ") as told:
        at_each(["first", "right", "last"], at)
    assert "right: " not in str(told.value)


def test_what_one_writes_the_next_does_not_find() -> None:
    def at(name: str) -> None:
        assert not Organisation.objects.exists()
        Organisation.objects.create(name=name)

    at_each(["one", "other"], at)
    assert not Organisation.objects.exists()


def test_to_look_nowhere_is_to_find_nothing_out() -> None:
    with pytest.raises(AssertionError):
        at_each([], lambda _name: None)
