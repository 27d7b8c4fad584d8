"""The instructions of another processor, which need no such processor to be made."""

import re

import llvmlite.binding as llvm
import pytest
from llvmlite import ir
from numba.core import types
from numba.core.registry import cpu_target

from fastmlp.kernels.llvm import emitter


def assembly_of(function, triple):
    """Return the instructions that a function (emit) emits into a void function of no arguments."""
    module = ir.Module()
    module.triple = triple
    void = ir.FunctionType(ir.VoidType(), [emitter.POINTER])
    builder = ir.IRBuilder(ir.Function(module, void, "f").append_basic_block())
    function(emitter.Emitter(cpu_target.target_context, builder, types.float32))
    builder.ret_void()
    try:
        llvm.initialize_all_targets()
        llvm.initialize_all_asmprinters()
        machine = llvm.Target.from_triple(triple).create_target_machine(opt=3)
    except RuntimeError:
        pytest.skip("this LLVM knows no such processor")
    return machine.emit_assembly(llvm.parse_assembly(str(module)))


def test_numbers_too_small_for_a_normal_one_are_0_on_arm_and_only_inside(monkeypatch):
    def halved(emit):
        place = emit.builder.function.args[0]
        before = emit.flush_small()
        emit.store((emit.number(emit.load(place)) * 0.5).value, place)
        emit.set_control(before)

    monkeypatch.setattr(emitter, "ARM", True)
    monkeypatch.setattr(emitter, "FLUSH", 1 << 24)
    code = assembly_of(halved, "aarch64-unknown-linux-gnu")
    steps = r"mrs\s+(x\d+), FPCR.*orr\s+(x\d+), \1, #0x1000000.*msr\s+FPCR, \2"
    assert re.search(rf"{steps}.*\bfmul\b.*msr\s+FPCR, \1", code, re.DOTALL), code
