"""Whether an answer is as its shape says."""

from __future__ import annotations

import json

from pydantic import BaseModel, ValidationError


def find_mismatch(content: bytes, shape: type[BaseModel]) -> str:
    """Return what of an answer does not fit the shape; "" when it fits exactly.

    Exactly: read into the shape and written again, it is the same. So an id is spelled as ids are, not only readable.
    """
    try:
        read = shape.model_validate_json(content)
    except ValidationError as problem:
        found = problem.errors(include_url=False, include_input=False)
        return "; ".join(f"{'.'.join(map(str, error['loc'])) or 'the answer'}: {error['msg']}" for error in found[:5])
    written = read.model_dump(mode="json", by_alias=True, exclude_unset=True)
    return "" if written == json.loads(content) else f"written again, it is {written}"
