"""A TensorFlow function as a file that JAX runs on any of `PLATFORMS`, without TensorFlow.

TensorFlow compiles the function to StableHLO, a JAX primitive wraps that module, and `jax.export` serializes it.
`jax2tf.call_tf` does the same for functions that assign no variables; here the variables become an argument and a
result. To run, the program needs only `jax.export`, whose format is versioned. To write it, `jax.extend` and
`jax.interpreters` are also needed: they are public but not stable, so `check_jax` checks them before a run begins.
"""

import importlib.metadata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from firmware_export.common.errors import UserError

PLATFORMS = ("cpu", "cuda", "rocm", "tpu")

SUPPORTED_JAX = "jax>=0.10,<0.12"
"""The optional dependency `keras_satkd[lowered]`."""


@dataclass(frozen=True)
class Program:
    """A serialized function `(state, arguments) -> (state, outputs)`.

    Attributes:
        serialized: input of `jax.export.deserialize`.
        state: the variables that the function reads or assigns; their values are the program's first argument, a list.
    """

    serialized: bytes
    state: list[tf.Variable]


def check_jax() -> None:
    """Check that JAX can write a program.

    Raises:
        UserError: JAX is not installed, or its version lacks the interfaces that `compile_program` uses.
    """
    try:
        _jax()
    except (ImportError, AttributeError) as error:
        try:
            found = f"jax {importlib.metadata.version('jax')} is not supported ({error})"
        except importlib.metadata.PackageNotFoundError:
            found = "jax is not installed"
        remedy = f'run pip install "keras_satkd[lowered]" ({SUPPORTED_JAX})'
        raise UserError(f"a training cannot be written as a program: {found}: {remedy}") from None


def _jax() -> Any:
    """The module `jax`, with all submodules that this module uses."""
    import jax
    import jax.export
    import jax.extend.core
    from jax.extend.mlir.dialects import func  # noqa: F401
    from jax.interpreters import mlir

    _ = (jax.export.export, jax.enable_x64, jax.core.ShapedArray, jax.extend.core.Primitive)
    _ = (mlir.merge_mlir_modules, mlir.register_lowering)
    return jax


def compile_program(function: Any, arguments: Mapping[str, tf.TensorSpec]) -> Program:
    """Compile a function and serialize it.

    Args:
        function: a `tf.function` with `jit_compile=True`. It takes tensors by position and returns a flat dictionary of
            tensors; its variables exist already.
        arguments: name → shape and dtype of each tensor; the program takes a dictionary of arrays with these names.

    Raises:
        UserError: the function contains an operation that XLA does not support.
    """
    concrete = function.get_concrete_function(*arguments.values())
    try:
        module = function.experimental_get_compiler_ir(*arguments.values())(stage="stablehlo_serialized")
    except (ValueError, tf.errors.OpError) as error:
        reason = " ".join(str(error).split())[:200]
        raise UserError(f"XLA cannot compile this training ({reason}): train on this machine instead") from None
    variables = {id(variable.handle): variable for variable in concrete.variables}
    # A captured input is either the handle of a variable or a constant that is too large for the graph.
    captured = [variables.get(id(tensor), tensor) for tensor in concrete.captured_inputs]
    return Program(
        _serialized(module, dict(arguments), captured, concrete.structured_outputs),
        [each for each in captured if isinstance(each, tf.Variable)],
    )


def _serialized(
    module: bytes,
    arguments: dict[str, tf.TensorSpec],
    captured: list[tf.Variable | tf.Tensor],
    outputs: dict[str, tf.TensorSpec],
) -> bytes:
    jax = _jax()
    assigned = _assigned(module)
    # A dictionary's values leave a function in the order of its sorted keys; the assigned variables follow them.
    names = sorted(outputs)
    results = [outputs[name] for name in names]
    results += [captured[assigned[position] - len(arguments)] for position in sorted(assigned)]
    tensorflow = _primitive(module, [_array(jax.core.ShapedArray, result) for result in results])

    def program(state: list[Any], given: dict[str, Any]) -> tuple[list[Any], dict[str, Any]]:
        variables = iter(state)
        held = [next(variables) if isinstance(each, tf.Variable) else each.numpy() for each in captured]
        found = tensorflow.bind(*(given[name] for name in arguments), *held)
        for position, parameter in assigned.items():
            held[parameter - len(arguments)] = found[position]
        after = [value for value, each in zip(held, captured, strict=True) if isinstance(each, tf.Variable)]
        return after, dict(zip(names, found, strict=False))

    # The optimizer counts its steps in int64.
    with jax.enable_x64(True):
        exported = jax.export.export(jax.jit(program), platforms=PLATFORMS)(
            [_array(jax.ShapeDtypeStruct, each) for each in captured if isinstance(each, tf.Variable)],
            {name: _array(jax.ShapeDtypeStruct, each) for name, each in arguments.items()},
        )
        return bytes(exported.serialize())


def _array(kind: Any, tensor: tf.Variable | tf.TensorSpec) -> Any:
    return kind(tuple(tensor.shape), np.dtype(tensor.dtype.as_numpy_dtype))


def _primitive(module: bytes, results: list[Any]) -> Any:
    """A JAX primitive that calls the function `main` of a StableHLO module; it works under `jax.jit`."""
    from jax.extend.core import Primitive
    from jax.extend.mlir import ir
    from jax.extend.mlir.dialects import func
    from jax.interpreters import mlir

    def lower(lowering: Any, *operands: Any) -> Any:
        context = lowering.module_context
        inner = ir.Module.parse(module)
        _remove_copies(inner.operation)
        main: Any = ir.SymbolTable(inner.operation)["main"]
        types = main.type.results
        name = mlir.merge_mlir_modules(context.module, "tensorflow", inner, dst_symtab=context.symbol_table)
        return func.CallOp(types, ir.FlatSymbolRefAttr.get(name), operands).results

    primitive = Primitive("tensorflow")
    primitive.multiple_results = True
    primitive.def_abstract_eval(lambda *_: results)  # type: ignore[no-untyped-call]  # JAX gives it no types
    mlir.register_lowering(primitive, lower)
    return primitive


def _assigned(module: bytes) -> dict[int, int]:
    """Position of a result → position of a parameter, for the variables that a StableHLO module assigns."""
    from jax.extend.mlir import ir
    from jax.interpreters import mlir

    with mlir.make_ir_context():
        aliases: Any = ir.Module.parse(module).operation.attributes.get("mhlo.input_output_alias", [])
        return {alias["output_index"][0]: alias["alias"]["parameter_number"].value for alias in aliases}


def _remove_copies(operation: Any) -> None:
    """Remove XLA's `copy`, an identity that TensorFlow leaves in its StableHLO although StableHLO does not have it."""
    for block in (block for region in operation.regions for block in region.blocks):
        for inner in [each.operation for each in block.operations]:
            _remove_copies(inner)
            if inner.name == "mhlo.copy":
                inner.results[0].replace_all_uses_with(inner.operands[0])
                inner.erase()
