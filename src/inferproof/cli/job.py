"""A job that was paid for: where it stands, what happens to it, and calling it off."""

import time
from typing import Annotated, Any

import typer

from inferproof.cli.buyer import KeyFile, Url
from inferproof.cli.console import JsonFlag, failures, out, plain, print_json
from inferproof.cli.files import read_key
from inferproof.cli.gateway import ask
from inferproof.client import Client
from inferproof.protocol.cancellation import cancellation_digest
from inferproof.protocol.encoding import keccak256
from inferproof.protocol.signature import SigningKey
from inferproof.types.digest import Digest

TIMEOUT_S = 30.0
CANCEL_HOLDS_S = 300
"""How long a signed cancellation holds: longer than clocks differ, short for a thief."""

JobId = Annotated[str, typer.Argument(metavar="JOB", help="The job id that was paid for.")]


def register(app: typer.Typer) -> None:
    """Adds the commands of this room."""
    group = typer.Typer(help="Follow a paid job, or call it off.", no_args_is_help=True)
    group.command("status")(status)
    group.command("watch")(watch)
    group.command("cancel")(cancel)
    app.add_typer(group, name="job")


def status(url: Url, job: JobId, as_json: JsonFlag = False) -> None:
    """Show where a job stands, with its settlement, failure and refund."""
    with failures(as_json=as_json):
        path = f"/v1/jobs/{Digest.from_hex(job).hex}"
        _show(ask("GET", url, path, timeout_s=TIMEOUT_S), as_json=as_json)


def watch(
    url: Url,
    job: JobId,
    after: Annotated[int, typer.Option(min=0, help="Leave out events up to this number.")] = 0,
    as_json: JsonFlag = False,
) -> None:
    """Print each step of a job as it happens, until it is over. With --json, one object a line."""
    with failures(as_json=as_json):
        nobody = SigningKey(keccak256(b"inferproof/no-payer"))  # following needs no payer
        with Client(url, key=nobody) as client:
            for event in client.events(Digest.from_hex(job), after=after):
                if as_json:
                    print_json(
                        {
                            "seq": event.seq,
                            "transition": event.transition,
                            "state": event.state.value,
                            "at": event.at,
                        }
                    )
                    continue
                when = time.strftime("%H:%M:%S", time.localtime(event.at))
                out.print(f"{when} [bold]{event.state.value:10}[/] {plain(event.transition or '')}")


def cancel(url: Url, job: JobId, key_file: KeyFile, as_json: JsonFlag = False) -> None:
    """Call off a job that was paid for and is not computed yet; what was paid goes back."""
    with failures(as_json=as_json):
        job_id, before = Digest.from_hex(job), int(time.time()) + CANCEL_HOLDS_S
        signature = read_key(key_file).sign(cancellation_digest(job_id, before))
        body = f'{{"before":{before},"signature":"0x{signature.hex()}"}}'
        answer = ask(
            "POST",
            url,
            f"/v1/jobs/{job_id.hex}/cancel",
            body=body.encode(),
            headers={"Content-Type": "application/json"},
            timeout_s=TIMEOUT_S,
        )
        _show(answer, as_json=as_json)


def _show(job: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(job)
        return
    out.print(f"[bold]{plain(job.get('state'))}[/] {plain(job.get('model'))}")
    for part in ("settlement", "refund", "failure"):
        value = job.get(part)
        if isinstance(value, dict):
            told = ", ".join(
                f"{name} {text}" for name, text in value.items() if isinstance(text, str | int)
            )
            out.print(f"{part:11} {plain(told)}")
