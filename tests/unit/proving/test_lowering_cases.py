"""The onnx package's own cases of every operator, by the quantised executor."""

import re

import pytest
from lowering import errors, lowered
from onnx_cases import cases_of

from inferproof.errors import InferproofError, Reason
from inferproof.models.definitions import DEFINED
from inferproof.proving.sumcheck.lower.context import Options
from inferproof.proving.sumcheck.lower.operators import SUPPORTED

FINE = Options(weight_bits=16, activation_bits=14, table_bits=14)
WITHIN = 0.004
"""Relative to the largest output."""

MODULES = (
    "abs acos acosh add and_ argmax argmin asin asinh atan atanh attention batch_normalization "
    "bitshift bitwiseand bitwiseor bitwisexor ceil celu clip col2im "
    "concat conv convtranspose cos cosh cumsum depthtospace div dropout "
    "einsum elu equal erf exp expand eyelike flatten floor gather gatherelements gathernd gelu "
    "gemm globalaveragepool globalmaxpool greater greater_or_equal groupnormalization hardmax "
    "hardsigmoid hardswish identity instance_normalization layernormalization leakyrelu less "
    "less_or_equal log logsoftmax lpnormalization lppool lrn "
    "matmul max mean meanvariancenormalization min "
    "mish mod mul neg not_ onehot or_ pad pow prelu reciprocal reduce_log_sum reduce_log_sum_exp "
    "reducel1 reducel2 reducemax reducemean reducemin reduceprod reducesum reducesumsquare relu "
    "reshape resize reversesequence rmsnormalization rnn gru lstm rotaryembedding center_crop_pad "
    "round scatter scatterelements scatternd selu shrink sigmoid sign sin sinh "
    "slice softmax softplus softsign spacetodepth split sqrt squeeze sub sum swish tanh "
    "thresholdedrelu tile topk transpose trilu unsqueeze upsample where xor"
)
SLOW_MODULES = "averagepool maxpool"
"""Their cases take ten seconds to make."""


QUICK = 3
"""Cases of each operator that run by default."""

REFUSED = re.compile(
    "test_(batchnorm_.*_training_mode|bitwise_.*_(i16_3d|i32_2d|ui64_bcast_3v1d)|lppool_(1d|2d|3d)_default|"
    "lppool_2d_(pads|same_lower)|div_int32_trunc|"
    "lstm_with_peepholes|pow|reduce_prod_default_axes_.*)"
)
"""Cases that are refused: what is not supported of an operator."""


def check(module: str, most: int) -> None:
    done, failures = 0, []
    for case in cases_of(module):
        if done == most:
            break
        assert case.operator in SUPPORTED | DEFINED
        expected = REFUSED.fullmatch(case.name) is not None
        try:
            made, measured = lowered(case.model, case.samples, FINE)
        except InferproofError as refused:
            if refused.reason is Reason.LOWERING_UNSUPPORTED and not expected:
                failures.append(f"{case.name}: {refused.message}")
            # Others are refused when the file is read, or by ONNX Runtime.
            continue
        done += 1
        error = max(errors(made, measured, case.samples).values())
        if error > WITHIN or expected:
            failures.append(f"{case.name}: off by {error:.5f}")
    assert not failures, "\n".join(failures)
    assert done > 0, "every case is refused"


@pytest.mark.parametrize("module", MODULES.split())
def test_operator(module: str) -> None:
    check(module, QUICK)


@pytest.mark.slow
@pytest.mark.parametrize("module", [*MODULES.split(), *SLOW_MODULES.split()])
def test_operator_in_all_cases(module: str) -> None:
    check(module, 1000)
