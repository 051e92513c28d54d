"""Recurrent layers whose weights ONNX Runtime's quantiser made whole numbers."""

from inferproof.models.contrib.rewriting import Rewriting, rewrites

_PASSED = (
    *("activation_alpha", "activation_beta", "activations", "clip"),
    *("direction", "hidden_size", "input_forget"),
)


@rewrites("DynamicQuantizeLSTM")
def _lstm(made: Rewriting) -> None:
    """LSTM with the real weights. The state is not rounded to 8 bits between its steps.

    Shapes: W [directions, D, 4H] and R [directions, H, 4H], the transposes of LSTM's; scales
    [directions] or [directions, 4H].
    """
    matrices = []
    for place, scale in ((1, 8), (2, 10)):
        name = made.input(place)
        directions, _, columns = made.shape(name, 3)
        parts = [made.input(scale), made.maybe(scale + 1)]
        for part in parts:
            if part and made.shape(part) not in ((directions,), (directions, columns)):
                raise made.invalid("a scale or zero point is neither by direction nor by row")
        whole = made.floats(name)
        scales, zeros = (
            made.reshape(made.floats(part), [directions, 1, -1]) if part else "" for part in parts
        )
        whole = made.node("Sub", [whole, zeros]) if zeros else whole
        real = made.node("Mul", [whole, scales])
        matrices.append(made.node("Transpose", [real], perm=[0, 2, 1]))
    rest = [made.maybe(place) for place in range(3, 8)]
    operands = [made.input(0), *matrices, *rest]
    while not operands[-1]:
        operands.pop()
    outputs = [made.output(place) for place in range(3)]
    made.several("LSTM", operands, outputs, **made.passed_on(*_PASSED))
