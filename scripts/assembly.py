"""The machine code of a kernel, and what its hottest loop is made of."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from fastmlp.kernels.llvm.compile import Shared

_LABEL = re.compile(r"^(\.L\w+):", re.MULTILINE)
_VECTOR = re.compile(r"%[xyz]mm\d+")


@dataclass(frozen=True)
class Loop:
    """An innermost loop's instructions, and how many of them are what."""

    text: str
    vector_fmas: int
    vector_loads: int
    vector_stores: int
    instructions: int


def machine_code(name: str, precision: Any) -> str:
    """Return the assembly of a kernel for a Numba float type; what it calls is compiled already.

    It is compiled anew, as code from the cache cannot be looked into.
    """
    kernel = Shared.by_name[name].uncompiled(precision)
    kernel.compile()
    return str(kernel._library.get_asm_str())


def hot_loop(name: str, precision: Any) -> Loop:
    """Return the innermost loop with the most fused multiply-adds for each load."""
    loops = _loops(machine_code(name, precision))
    return max(loops, key=lambda loop: loop.vector_fmas / max(loop.vector_loads, 1))


def _loops(code: str) -> list[Loop]:
    """Find the runs from a label to a jump back to it that hold no other label."""
    loops = []
    for label in _LABEL.finditer(code):
        following = _LABEL.search(code, label.end())
        body = code[label.end() : following.start() if following else len(code)]
        jump = re.search(rf"\n\tj\w+\t{re.escape(label.group(1))}\b", body)
        if jump:
            loops.append(_counted(body[: jump.end()]))
    return loops or [Loop("", 0, 0, 0, 0)]


def _counted(body: str) -> Loop:
    fmas = loads = stores = instructions = 0
    for line in body.splitlines():
        parts = line.split("\t")
        instructions += len(parts) > 1 and not parts[1].startswith(("#", "."))
        if len(parts) < 3 or not _VECTOR.search(parts[2]):
            continue
        operation, operands = parts[1], parts[2]
        fmas += operation.startswith("vfmadd") and operation.endswith(("ps", "pd"))
        writes_memory = operands.rstrip().endswith(")")
        stores += writes_memory
        loads += "(" in operands and not writes_memory
    return Loop(body, fmas, loads, stores, instructions)
