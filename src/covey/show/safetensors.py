"""Weights as a safetensors file: the header's length, a header in JSON, and the arrays' bytes.

The format is Hugging Face's: https://huggingface.co/docs/safetensors. Nothing in such a file is executed.
"""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Shaped

_TYPES = {
    "bool": "BOOL", "uint8": "U8", "int8": "I8", "int16": "I16", "int32": "I32", "int64": "I64",
    "uint32": "U32", "float16": "F16", "float32": "F32", "float64": "F64",
}  # fmt: skip
_ALIGNMENT = 8


def safetensors_bytes(arrays: Mapping[str, Shaped[np.ndarray, "..."]], facts: Mapping[str, Any]) -> bytes:
    """Return a file of arrays by name; the facts are JSON in its metadata, under `covey`."""
    header: dict[str, Any] = {"__metadata__": {"covey": json.dumps(facts)}}
    parts = []
    at = 0
    for name, array in arrays.items():
        data = np.ascontiguousarray(array).astype(array.dtype.newbyteorder("<"), copy=False).tobytes()
        place = [at, at + len(data)]
        header[name] = {
            "dtype": _TYPES[array.dtype.name], "shape": list(array.shape), "data_offsets": place
        }  # fmt: skip
        parts.append(data)
        at += len(data)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % _ALIGNMENT)
    return b"".join([len(text).to_bytes(8, "little"), text, *parts])
