"""The external adapter against programs that misbehave."""

import os
import sys
import textwrap
import time
from dataclasses import replace

import numpy as np
import pytest
from processes import is_gone
from small_models import JOB, PROVIDER, SALT

from inferproof.errors import InputRejected, MissingPart, ModelRejected, Reason, Unavailable
from inferproof.protocol.proof_file import decode_proof_file, encode_proof_file
from inferproof.protocol.statement import statement_digest
from inferproof.proving.execution import ProveRequest, prove
from inferproof.proving.external import ExternalSystem
from inferproof.proving.program import Limits, Program
from inferproof.testing.rejections import rejects
from inferproof.types.digest import ZERO_ADDRESS, ZERO_DIGEST

HONEST = [sys.executable, "-m", "inferproof.proving.stdio", "--system", "ezkl"]


@pytest.fixture
def script(tmp_path):
    """A program that runs the given Python lines; its command line."""

    def write(body: str) -> tuple[str, ...]:
        path = tmp_path / "prover.py"
        path.write_text("import sys, os, time, json, signal\n" + textwrap.dedent(body))
        return (sys.executable, str(path))

    return write


def ask(command, limits=None, time_limit_s=None, **kwargs):
    program = Program(command, limits or Limits(stop_s=0.5))
    return program.run("describe", {}, time_limit_s=time_limit_s, **kwargs)


NAME = os.path.basename(sys.executable)  # noqa: PTH119


def test_an_answer_arrives_with_its_progress(script):
    seen = []
    command = script("""
        request = json.load(sys.stdin)
        sys.stderr.write("0.5 half way\\nnot a share\\n7 too much\\n")
        print(json.dumps({"command": sys.argv[1], "request": request}))
    """)
    answer = ask(command, progress=lambda *step: seen.append(step))
    assert answer == {"command": "describe", "request": {}}
    assert seen == [("half way", 0.5)]


def test_our_secrets_are_not_passed_on(script, monkeypatch):
    monkeypatch.setenv("INFERPROOF_GATEWAY_KEY", "secret")
    command = script("print(json.dumps(dict(os.environ)))")
    assert "INFERPROOF_GATEWAY_KEY" not in ask(command)


def test_a_program_that_hangs_is_killed(script):
    began = time.monotonic()
    message = "the prover did not finish within 0.5 seconds and was stopped"
    with rejects(Reason.PROVER_TIME_LIMIT, message, kind=Unavailable):
        ask(script("time.sleep(60)"), time_limit_s=0.5)
    assert time.monotonic() - began < 50  # long before it would have ended


def test_a_program_that_ignores_sigterm_is_killed_with_its_children(script, tmp_path):
    pid_file = tmp_path / "pid"
    command = script(f"""
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        child = os.fork()
        if child:
            open({str(pid_file)!r}, "w").write(str(child))
        time.sleep(60)
    """)
    for limit_s in (2, 10, 40):  # on a busy machine an interpreter takes seconds to start
        with rejects(
            Reason.PROVER_TIME_LIMIT,
            f"the prover did not finish within {limit_s} seconds and was stopped",
        ):
            ask(command, time_limit_s=limit_s)
        if pid_file.exists() and pid_file.read_text():
            break
    child = int(pid_file.read_text())
    assert is_gone(child)


def test_a_cancelled_program_stops(script):
    with rejects(Reason.PROVER_CANCELLED, "the proof was cancelled"):
        ask(script("time.sleep(60)"), cancelled=lambda: True)


@pytest.mark.parametrize("body", ["print('garbage')", "print('[1]')", "pass", "print('{' * 9999)"])
def test_garbage_is_refused(script, body):
    message = (
        f"the prover program {NAME} answered describe wrongly: its answer is not one JSON object"
    )
    with rejects(Reason.PROVER_ANSWER, message, kind=Unavailable):
        ask(script(body))


@pytest.mark.parametrize("channel", ["stdout", "stderr"])
def test_endless_output_is_cut_off(script, channel):
    limits = Limits(stop_s=0.5, answer_bytes=1000, progress_bytes=1000)
    message = f"the prover program {NAME} wrote more than 1000 bytes to describe and was stopped"
    with rejects(Reason.PROVER_OUTPUT_TOO_LARGE, message, kind=Unavailable):
        ask(script(f"while True: sys.{channel}.write('x' * 4096)"), limits)


@pytest.mark.parametrize(
    ("body", "how"),
    [
        ("os.kill(os.getpid(), signal.SIGSEGV)", "signal 11"),
        ("sys.exit(2)", "exit status 2"),
        ("sys.exit(77)", "exit status 77"),
    ],
)
def test_a_crash_is_typed(script, body, how):
    message = f"the prover process ended unexpectedly ({how}); the next call starts a new one"
    with rejects(Reason.PROVER_CRASHED, message, kind=Unavailable):
        ask(script(body))


def test_a_refusal_arrives_as_our_own_error(script):
    answer = {"kind": "InputRejected", "reason": "INPUT_NOT_FINITE", "facts": {"name": "x"}}
    with rejects(Reason.INPUT_NOT_FINITE, "input x holds a NaN or an infinity", kind=InputRejected):
        ask(script(f"print(json.dumps({answer!r})); sys.exit(1)"))


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"kind": "os", "reason": "INPUT_NOT_FINITE", "facts": {"name": "x"}},
        {"kind": "Reason", "reason": "INPUT_NOT_FINITE", "facts": {"name": "x"}},
        {"kind": "InputRejected", "reason": "NO_SUCH", "facts": {}},
        {"kind": "InputRejected", "reason": "INPUT_NOT_FINITE", "facts": {}},
        {"kind": "InputRejected", "reason": "INPUT_NOT_FINITE", "facts": 7},
    ],
)
def test_an_unknown_refusal_is_not_believed(script, answer):
    message = (
        f"the prover program {NAME} answered describe wrongly: "
        "it failed without a reason that we know"
    )
    with rejects(Reason.PROVER_ANSWER, message):
        ask(script(f"print(json.dumps({answer!r})); sys.exit(1)"))


def test_a_missing_program_is_named(tmp_path):
    message = (
        "the external prover needs the program prover; it cannot be started: "
        "no such file or directory; check the path in the settings"
    )
    with rejects(Reason.MISSING_TOOL, message, kind=MissingPart):
        ask((str(tmp_path / "prover"),))


def test_memory_is_limited(script):
    limits = Limits(stop_s=0.5, memory_bytes=2**30)
    message = (
        "the prover process ended unexpectedly (exit status 3); the next call starts a new one"
    )
    with rejects(Reason.PROVER_CRASHED, message):
        ask(
            script("""
                import resource
                while resource.getrlimit(resource.RLIMIT_AS)[0] != 2**30: time.sleep(0.01)
                try: bytearray(2**32)
                except MemoryError: sys.exit(3)
                print("{}")
            """),
            limits,
            time_limit_s=60,
        )


def test_a_description_with_a_missing_field_is_refused(script):
    system = ExternalSystem(script("print(json.dumps({'name': 'x'}))"))
    message = (
        f"the prover program {NAME} answered describe wrongly: "
        "its answer lacks a field or has a wrong one"
    )
    with rejects(Reason.PROVER_ANSWER, message):
        system.describe()


LIAR = """
    if sys.argv[-1] == "describe":
        print(json.dumps({{"contract": 3, "name": "ezkl", "version": "23.0.5",
                          "assurance": "zk-integrity", "proven": "p", "not_proven": "n",
                          "operators": ["Relu"]}}))
        sys.exit()
    request = json.load(sys.stdin)
    if sys.argv[-1] == "execute":
        open(request["out"], "wb").write(open({run!r}, "rb").read())
        print(json.dumps({{"load_s": 0, "run_s": 0}}))
        sys.exit()
    {body}
"""


def liar(script, body, run="there is none"):
    """A program that is honest but for one command; `run` is the file that it says it ran."""
    return ExternalSystem(script(LIAR.format(body=body, run=str(run))), Limits(stop_s=0.5))


@pytest.fixture
def run(ezkl_proved, tmp_path):
    """What an honest program writes of the run that was proven."""
    file = decode_proof_file(ezkl_proved.file)
    statement = replace(file.statement, job_id=ZERO_DIGEST, provider=ZERO_ADDRESS)
    path = tmp_path / "run"
    path.write_bytes(encode_proof_file(replace(file, statement=statement, proof=b"")))
    return path


def test_a_program_of_the_second_contract_is_refused(script):
    """It would bind graph and weights by digests that anyone can confirm a guess by."""
    system = ExternalSystem(
        script("""
            print(json.dumps({"contract": 2, "name": "ezkl", "version": "1",
                "assurance": "zk-integrity", "proven": "", "not_proven": "", "operators": []}))
        """)
    )
    message = (
        f"the prover program {NAME} answered describe wrongly: "
        "it speaks version 2 of the contract, not 3"
    )
    with rejects(Reason.PROVER_ANSWER, message, kind=Unavailable):
        system.describe()


def test_a_program_of_the_first_contract_is_refused(script):
    about = {"name": "x", "version": "1", "assurance": "commitment", "proven": "p"}
    body = f"print(json.dumps({ {**about, 'not_proven': 'n', 'operators': []}!r}))"
    message = (
        f"the prover program {NAME} answered describe wrongly: "
        "it speaks version 1 of the contract, not 3"
    )
    with rejects(Reason.PROVER_ANSWER, message, kind=Unavailable):
        ExternalSystem(script(body)).describe()


def test_a_run_of_another_model_is_refused(script, ezkl_compiled, run):
    file = decode_proof_file(run.read_bytes())
    other = replace(file.statement, model_commitment=ZERO_DIGEST)
    run.write_bytes(encode_proof_file(replace(file, statement=other)))
    message = (
        f"the prover program {NAME} answered execute wrongly: its run is not of the model asked for"
    )
    inputs = {"x": np.zeros((1, 4), np.float32)}
    with rejects(Reason.PROVER_ANSWER, message):
        liar(script, "pass", run).execute(ezkl_compiled, inputs, SALT)


@pytest.mark.parametrize(
    "body",
    [
        "print(json.dumps({'verified': False, 'statement': request['statement']}))",
        "print(json.dumps({'verified': True, 'statement': '0x' + '00' * 32}))",
    ],
)
def test_only_yes_to_the_very_statement_counts(
    script, ezkl_system, ezkl_compiled, ezkl_proved, body
):
    file = decode_proof_file(ezkl_proved.file)
    bundle = ezkl_system.verifier(ezkl_compiled)
    with rejects(Reason.PROOF_INVALID, "the proof does not hold for its statement"):
        liar(script, body).check(bundle, file, statement_digest(file.statement))


@pytest.mark.parametrize("verified", ["'yes'", "1", "None"])
def test_yes_is_a_boolean(script, ezkl_system, ezkl_compiled, ezkl_proved, verified):
    file = decode_proof_file(ezkl_proved.file)
    body = f"print(json.dumps({{'verified': {verified}, 'statement': request['statement']}}))"
    message = (
        f"the prover program {NAME} answered verify wrongly: "
        "its answer lacks a field or has a wrong one"
    )
    with rejects(Reason.PROVER_ANSWER, message):
        liar(script, body).check(
            ezkl_system.verifier(ezkl_compiled), file, statement_digest(file.statement)
        )


TIMES = "print(json.dumps({'prove_s': 0, 'peak_mb': 0}))"


def test_a_proof_for_another_job_is_refused(script, ezkl_compiled, ezkl_proved, run, tmp_path):
    (tmp_path / "old").write_bytes(ezkl_proved.file)
    body = (
        f"open(request['out'], 'wb').write(open({str(tmp_path / 'old')!r}, 'rb').read()); {TIMES}"
    )
    other = ProveRequest(
        ezkl_compiled, {"x": np.zeros((1, 4), np.float32)}, JOB, type(PROVIDER)(b"\x07" * 20), SALT
    )
    message = (
        f"the prover program {NAME} answered prove wrongly: its statement is not the one asked for"
    )
    with rejects(Reason.PROVER_ANSWER, message):
        prove(liar(script, body, run), other)


def test_a_proof_that_was_not_written_is_refused(script, ezkl_compiled, run):
    request = ProveRequest(ezkl_compiled, {"x": np.zeros((1, 4), np.float32)}, JOB, PROVIDER, SALT)
    message = f"the prover program {NAME} answered prove wrongly: it wrote no file"
    with rejects(Reason.PROVER_ANSWER, message):
        prove(liar(script, TIMES, run), request)


def test_a_model_swapped_while_compiling_is_refused(script, ezkl_compiled, mlp_request, tmp_path):
    from small_models import mlp

    body = (
        f"import shutil; shutil.copytree({str(ezkl_compiled)!r}, request['out']); "
        "print(json.dumps({'key_bytes': 1, 'peak_mb': 1, 'max_error': 0, 'agreement': 1, "
        "'trials': []}))"
    )
    other = replace(mlp_request, model=mlp(tmp_path / "m.onnx", 4, 5, 3), out=tmp_path / "out")
    message = f"the prover program {NAME} answered compile wrongly: it compiled another model"
    with rejects(Reason.PROVER_ANSWER, message):
        liar(script, body).compile(other)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("arguments", [[], ["--system", "ezkl"], ["--system", "ezkl", "fly"]])
def test_our_own_binary_says_how_to_use_it(arguments):
    import subprocess

    done = subprocess.run(
        [*HONEST[:3], *arguments], stdin=subprocess.DEVNULL, capture_output=True, check=False
    )
    assert done.returncode == 2
    assert b"usage" in done.stderr


def test_our_own_binary_refuses_a_malformed_request():
    import subprocess

    done = subprocess.run([*HONEST, "verify"], input=b"{}", capture_output=True, check=False)
    assert done.returncode == 2


def test_our_own_binary_reports_refusals(tmp_path, mlp_request):
    from dataclasses import replace

    system = ExternalSystem(HONEST)
    model = tmp_path / "m.onnx"
    model.write_bytes(b"not a model")
    with pytest.raises(ModelRejected):
        system.compile(replace(mlp_request, model=model, out=tmp_path / "out"))
