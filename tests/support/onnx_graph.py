"""Tiny ONNX models, written as the few protobuf fields that they are."""

from pathlib import Path

FLOAT, BYTES, HALF = 1, 2, 10
INTEGER, INTEGERS = 2, 7  # types of attributes

Shape = list[int | str]


def field(number: int, value: bytes | str | int) -> bytes:
    """Return one field: an integer, or bytes with their length."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    content = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(content)) + content


def varint(value: int) -> bytes:
    low, rest = value & 0x7F, value >> 7
    return bytes([low | 0x80]) + varint(rest) if rest else bytes([low])


def tensor(name: str, kind: int, shape: Shape) -> bytes:
    dimensions = b"".join(field(1, field(1 if isinstance(d, int) else 2, d)) for d in shape)
    return field(1, name) + field(2, field(1, field(1, kind) + field(2, dimensions)))


def node(operator: str, source: str, target: str, **attributes: int | list[int]) -> bytes:
    fields = field(1, source) + field(2, target) + field(4, operator)
    for name, value in attributes.items():
        if isinstance(value, int):
            fields += field(5, field(1, name) + field(3, value) + field(20, INTEGER))
        else:
            numbers = b"".join(field(8, number) for number in value)
            fields += field(5, field(1, name) + numbers + field(20, INTEGERS))
    return fields


def write_graph(path: Path, nodes: list[bytes], inputs: list[bytes], outputs: list[bytes]) -> Path:
    graph = b"".join(field(1, content) for content in nodes) + field(2, "tiny")
    graph += b"".join(field(11, content) for content in inputs)
    graph += b"".join(field(12, content) for content in outputs)
    path.write_bytes(field(1, 8) + field(7, graph) + field(8, field(2, 17)))
    return path


def write_mean_color(path: Path, kind: int, shape: Shape) -> Path:
    """Write a model whose output ``mean`` is each channel's mean; ``rows`` are means of rows.

    Its channels stand second if ``shape`` has 3 there, else last.
    """
    second = shape[1] == 3
    nodes = [
        node("Cast", "image", "floats", to=FLOAT),
        node("ReduceMean", "floats", "mean", axes=[2, 3] if second else [1, 2], keepdims=0),
        node("ReduceMean", "floats", "rows", axes=[3] if second else [2], keepdims=0),
    ]
    outputs = [tensor("mean", FLOAT, ["n", 3]), tensor("rows", FLOAT, ["n", "a", "b"])]
    return write_graph(path, nodes, [tensor("image", kind, shape)], outputs)
