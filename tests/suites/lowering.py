"""Small ONNX models lowered and compared with ONNX Runtime, in this process and so quickly."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import ModelProto, NodeProto, helper, numpy_helper

from inferproof.models.limits import DEFAULT_LIMITS
from inferproof.models.load import to_head
from inferproof.models.loaded import LoadedModel
from inferproof.models.measure import Measured, ValueRange, column_ranges, measure_here
from inferproof.models.parse import parse_untrusted
from inferproof.proving.sumcheck.graph_bytes import encode_graph
from inferproof.proving.sumcheck.lower.compile import Lowering, lower_once, run
from inferproof.proving.sumcheck.lower.context import Options
from inferproof.second_verifier import graph as reference

Array = npt.NDArray[Any]


def model_of(
    nodes: Sequence[NodeProto],
    inputs: dict[str, Array],
    outputs: Sequence[str],
    constants: dict[str, Array] | None = None,
    opset: int = 17,
) -> ModelProto:
    """A model whose inputs are like these samples; types of outputs are inferred."""
    import onnx

    graph = helper.make_graph(
        list(nodes),
        "test",
        [
            helper.make_tensor_value_info(
                name, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape[1:]
            )
            for name, array in inputs.items()
        ],
        [onnx.ValueInfoProto(name=name) for name in outputs],
        [numpy_helper.from_array(array, name) for name, array in (constants or {}).items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    inferred = onnx.shape_inference.infer_shapes(model)
    known = {item.name: item for item in (*inferred.graph.value_info, *inferred.graph.output)}
    del model.graph.output[:]
    model.graph.output.extend(known[name] for name in outputs)
    return model


def loaded(model: ModelProto) -> LoadedModel:
    """The canonical model."""
    return parse_untrusted(model.SerializeToString(), DEFAULT_LIMITS, None)


def measured_of(model: LoadedModel, samples: dict[str, Array]) -> Measured:
    """What ONNX Runtime does on these samples."""
    count = len(next(iter(samples.values())))
    with np.errstate(over="ignore"):  # of a model on binary64
        blobs = [np.ascontiguousarray(samples[s.name], s.dtype).tobytes() for s in model.inputs]
    head, parts = measure_here(
        {"model": to_head(model), "samples": count, "held_out": []}, [model.onnx, *blobs]
    )
    outputs = {
        spec.name: np.frombuffer(part, spec.dtype).reshape(count, *spec.shape)
        for spec, part in zip(model.outputs, parts, strict=True)
    }
    columns = {
        spec.name: column_ranges(samples[spec.name])
        for spec in model.inputs
        if len(spec.shape) == 2
    }
    return Measured(
        count,
        tuple(ValueRange(**item) for item in head["ranges"]),
        outputs,
        columns={name: item for name, item in columns.items() if item is not None},
    )


def lowered(
    model: ModelProto, samples: dict[str, Array], options: Options | None = None
) -> tuple[Lowering, Measured]:
    """The lowered model, whose graph is found well formed, and what it is compared with."""
    canonical = loaded(model)
    measured = measured_of(canonical, samples)
    made = lower_once(canonical, measured, options or Options())
    reference.decode(encode_graph(made.graph))
    return made, measured


def errors(made: Lowering, measured: Measured, samples: dict[str, Array]) -> dict[str, float]:
    """For each output the largest error over the largest float output."""
    worst = dict.fromkeys(measured.outputs, 0.0)
    for place in range(measured.samples):
        got = run(made, {name: array[place] for name, array in samples.items()})
        for name, exact in measured.outputs.items():
            difference = np.abs(got[name] - exact[place].astype(np.float64)).max()
            worst[name] = max(worst[name], float(difference))
    return {
        name: worst[name] / (float(np.abs(exact.astype(np.float64)).max()) or 1.0)
        for name, exact in measured.outputs.items()
    }


def assert_close(
    model: ModelProto,
    samples: dict[str, Array],
    within: float,
    options: Options | None = None,
) -> Lowering:
    """The lowered model, once its error relative to the largest output is within a bound."""
    made, measured = lowered(model, samples, options)
    for name, error in errors(made, measured, samples).items():
        assert error <= within, f"output {name} is off by {error:.5f}"
    return made


FINE = Options(weight_bits=16, activation_bits=14, table_bits=14)


def close(
    operator: str,
    inputs: dict[str, Array],
    constants: dict[str, Array] | None = None,
    *,
    names: list[str] | None = None,
    outputs: int = 1,
    within: float = 0.003,
    opset: int = 17,
    **attributes: Any,
) -> Lowering:
    """The lowering of one operator, once it comes near ONNX Runtime."""
    order = names or [*inputs, *(constants or {})]
    results = ["y", *(f"y{number}" for number in range(1, outputs))]
    node = helper.make_node(operator, order, results, **attributes)
    model = model_of([node], inputs, results, constants, opset)
    return assert_close(model, inputs, within, FINE)
