"""Advice about a configuration that starts."""

from pathlib import Path

import pytest
from django.conf import LazySettings

from kaizala_console import checks


def test_a_sandbox_is_no_deployment(settings: LazySettings) -> None:
    assert [message.id for message in checks.a_sandbox_is_no_deployment(None)] == ["console.W001"]
    settings.SANDBOX = False
    assert checks.a_sandbox_is_no_deployment(None) == []


@pytest.mark.parametrize(("mode", "expected"), [(0o700, []), (0o750, ["console.W002"]), (0o704, ["console.W002"])])
def test_a_data_folder_that_others_can_read_is_noticed(
    settings: LazySettings, tmp_path: Path, mode: int, expected: list[str]
) -> None:
    tmp_path.chmod(mode)
    settings.DATA_DIR = tmp_path
    assert [message.id for message in checks.the_data_folder_is_private(None)] == expected
