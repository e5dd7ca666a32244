"""The queue in a folder, for a console without Redis: kombu's own, but a message appears whole or not at all.

kombu 5.6 opens a message's file under its final name and writes into it afterwards. A worker that looked in between
took an empty file, and ended with "Unrecoverable error: JSONDecodeError" (seen under load).
"""

from __future__ import annotations

import os
import time
import uuid
from pathlib import Path
from typing import Any

from kombu.exceptions import ChannelError
from kombu.transport import TRANSPORT_ALIASES, filesystem
from kombu.utils.json import dumps

PART = ".part"


class Channel(filesystem.Channel):
    """Writes under a name that no reader looks for, then renames: one step for whoever lists the folder."""

    def _put(self, queue: str, message: dict[str, Any], **kwargs: Any) -> None:  # type: ignore[override]
        name = f"{round(time.monotonic() * 1000)}_{uuid.uuid4()}.{queue}.msg"
        file = Path(self.data_folder_out, name)
        part = Path(f"{file}{PART}")
        try:
            part.write_text(dumps(message), encoding="utf-8")
            part.replace(file)
        except OSError as error:
            part.unlink(missing_ok=True)
            raise ChannelError(f"Cannot add {os.fspath(file)!r} to the queue") from error


class Transport(filesystem.Transport):
    """`filesystem://`, with the channel above."""

    Channel = Channel


def install() -> None:
    """Let `filesystem://` mean this transport, in this process."""
    TRANSPORT_ALIASES["filesystem"] = f"{__name__}:Transport"
