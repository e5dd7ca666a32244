"""Two patterns of h11, written so that they take time in proportion to what they read.

Each of h11's own offers a run of blanks to two places, and when what follows fits neither, tries every way to split it:
one header line of 400 kB of tabs that ends in a NUL had not been read after eight minutes, and the loop stood still.
Here the first place takes the whole run and gives nothing back (`*+`). h11 is pinned; a test measures what such lines
cost.
"""

from __future__ import annotations

import re

from h11 import _abnf, _readers


def install() -> None:
    """Have h11 read with these. Raises AttributeError when it has no such patterns any more."""
    for name in ("header_field_re", "chunk_header_re"):
        getattr(_readers, name)  # else a renamed one would go unnoticed
    _readers.header_field_re = re.compile(
        rf"(?P<field_name>{_abnf.field_name}):[ \t]*+(?P<field_value>{_abnf.field_value})[ \t]*+".encode("ascii")
    )
    _readers.chunk_header_re = re.compile(
        rf"(?P<chunk_size>{_abnf.chunk_size})(?P<chunk_ext>;[^\r\n]*+)?[ \t]*+\r\n".encode("ascii")
    )
