"""Settings of a gateway, from the environment: INFERPROOF_PORT=9100 and so on.

Only entry points and `app` read them; everything below takes plain values. Every field is
documented in docs/reference/settings.md, which a test compares with this class.
"""

import difflib
import ipaddress
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, HttpUrl, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

from inferproof.errors import InferproofError, Misconfigured, Reason, RequestRejected
from inferproof.protocol.signature import SigningKey
from inferproof.types.digest import Address
from inferproof.types.indexing import Source, SourceSet
from inferproof.types.limits import Rate
from inferproof.types.money import Asset, Network, parse_units

PREFIX = "INFERPROOF_"
OFF = "off"
KEY_FILE = "gateway.key"

MIB = 2**20
NEARLY = 0.93
"""Likeness of two names, prefix included: one letter wrong, missing or too many."""


def _address(text: str) -> str:
    try:
        return Address.from_hex(text).hex
    except InferproofError as error:
        raise ValueError(error.message) from None


def _long_enough(secret: SecretStr) -> SecretStr:
    if len(secret.get_secret_value()) < 16:
        raise ValueError("it must have at least 16 characters")
    return secret


def _rate(text: str) -> str:
    try:
        return text if text == OFF else str(Rate.parse(text))
    except InferproofError as error:
        raise ValueError(error.message) from None


def _network(text: str) -> str:
    try:
        return str(ipaddress.ip_network(text))
    except ValueError:
        raise ValueError(f"{text[:60]} is not a network, such as 10.0.0.0/8") from None


def _source(text: str) -> str:
    name, _, rest = text.partition("=")
    address, _, block = rest.partition("@")
    if not (name and block.isascii() and block.isdigit() and len(block) <= 15):
        raise ValueError(f"{text[:100]} is not NAME=ADDRESS@BLOCK")
    return f"{name}={_address(address)}@{int(block)}"


RateText = Annotated[str, AfterValidator(_rate)]
NetworkText = Annotated[str, AfterValidator(_network)]
AddressText = Annotated[str, AfterValidator(_address)]
SourceText = Annotated[str, AfterValidator(_source)]
Token = Annotated[SecretStr, AfterValidator(_long_enough)]


class Settings(BaseSettings):
    """Everything an operator can set. Units stand in the names: _s seconds, _bytes bytes."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, extra="forbid", frozen=True, env_ignore_empty=True
    )

    # -- where it listens ---------------------------------------------------------------------
    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(9100, ge=0, le=65535, description="Port to listen on; 0 takes a free one.")
    processes: int = Field(
        1,
        ge=1,
        le=64,
        description=(
            "Processes that take requests on the one port. More than 1 needs PostgreSQL, and "
            "leaves everything else to `inferproof settle` and `inferproof worker`."
        ),
    )
    background: Literal["inside", "apart"] = Field(
        "inside",
        description=(
            "Whether settling, refunds, webhooks, the books and proving are done inside a gateway "
            "of one process, or apart, by `inferproof settle` and `inferproof worker`, which needs "
            "PostgreSQL."
        ),
    )
    metrics_host: str = Field(
        "127.0.0.1", description="Address on which a process serves its own metrics."
    )
    metrics_port: int | None = Field(
        None,
        ge=1,
        le=65535,
        description=(
            "Port on which a process serves its own /metrics, /ready and /health. Of several "
            "processes that take requests each takes the first free one, from this on. Unset: none."
        ),
    )
    public_url: HttpUrl | None = Field(
        None,
        description=(
            "Address under which buyers reach this gateway; it stands in payment challenges "
            "and discovery documents. Unset: what the request names as its host."
        ),
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="Least severe level that is logged."
    )
    log_format: Literal["text", "json"] = Field(
        "text", description="How log lines are written: for people, or one JSON object each."
    )

    # -- who is told of its state -------------------------------------------------------------
    otel_endpoint: HttpUrl | None = Field(
        None,
        description=(
            "Address of an OpenTelemetry collector that takes traces by OTLP over HTTP, such as "
            "http://127.0.0.1:4318/v1/traces. Needs the extra otel. Unset: nothing is traced."
        ),
    )
    otel_ratio: float = Field(
        1.0, ge=0, le=1, allow_inf_nan=False, description="Share of the jobs that are traced."
    )
    sentry_dsn: SecretStr | None = Field(
        None,
        description=(
            "Address of a Sentry project that is told of the gateway's own faults. Needs the "
            "extra sentry. Unset: they are only logged."
        ),
    )
    sentry_environment: str = Field(
        "production", min_length=1, max_length=64, description="Environment named in reports."
    )
    disk_reserve_bytes: int = Field(
        256 * MIB,
        ge=0,
        description="Free space in the data folder below which the gateway is not ready.",
    )
    stall_s: float = Field(
        120.0,
        gt=0,
        allow_inf_nan=False,
        description="After how long without a step a settler or worker counts as stalled.",
    )

    # -- where it keeps things ----------------------------------------------------------------
    data_dir: Path = Field(
        Path("inferproof-data"),
        description="Folder of database, proofs, compiled models and keys.",
    )
    database_url: str | None = Field(
        None,
        description=(
            "Address of the database, such as postgresql+asyncpg://user:password@host/name. "
            "Unset: the SQLite file inferproof.db in the data folder."
        ),
    )

    # -- chain and token ----------------------------------------------------------------------
    rpc_url: HttpUrl | None = Field(
        None, description="JSON-RPC address of the chain that payments settle on. Required."
    )
    chain_id: int = Field(31337, ge=1, lt=2**63, description="Chain id the node must report.")
    token_address: AddressText | None = Field(
        None, description="Address of the EIP-3009 token that is paid with. Required."
    )
    token_symbol: str = Field("USDC", min_length=1, max_length=32, description="Token symbol.")
    token_name: str = Field(
        "USD Coin", max_length=128, description="Name in the token's EIP-712 domain."
    )
    token_version: str = Field(
        "2", max_length=32, description="Version in the token's EIP-712 domain."
    )
    token_decimals: int = Field(6, ge=0, le=36, description="Decimals of the token.")

    # -- who it is ----------------------------------------------------------------------------
    gateway_key: SecretStr | None = Field(
        None,
        description=(
            "Private key (64 hex digits) that signs quotes and receipts, sends settlements and "
            "refunds and pays their gas."
        ),
    )
    gateway_key_file: Path | None = Field(
        None,
        description=(
            "File with that key. Unset, and no key given: gateway.key in the data folder."
        ),
    )
    facilitator_key: SecretStr | None = Field(
        None,
        description=(
            "Private key of a second account that settles for other servers under /facilitator. "
            "Unset: those routes are closed. It must not be the gateway's key."
        ),
    )
    facilitator_payees: tuple[AddressText, ...] = Field(
        (),
        description=(
            "JSON list of addresses whose settlements the facilitator pays the gas for. Empty: "
            "only those to this gateway."
        ),
    )
    trusted_proxies: tuple[NetworkText, ...] = Field(
        (),
        description=(
            "JSON list of networks, such as 10.0.0.0/8, of proxies whose X-Forwarded-For names "
            "the caller. Empty: the header is never read, and the socket's address counts."
        ),
    )
    admin_token: Token | None = Field(
        None,
        description=(
            "Bearer token that approves and suspends models. Unset: no one can do so over HTTP."
        ),
    )

    # -- terms and limits ---------------------------------------------------------------------
    quote_ttl_s: int = Field(300, ge=10, le=86_400, description="How long a quote holds.")
    payment_timeout_s: int = Field(
        600, ge=30, le=86_400, description="How long a buyer's authorization should stay valid."
    )
    sync_wait_s: float = Field(
        25.0,
        ge=0,
        le=600,
        allow_inf_nan=False,
        description="How long an infer call waits for its answer before it is answered with 202.",
    )
    queue_limit: int = Field(
        256, ge=1, description="Most paid jobs that may wait; beyond, calls are answered with 503."
    )
    queue_share_percent: int = Field(
        50,
        ge=1,
        le=100,
        description="Part of the waiting jobs that one payer, or one API key, may have.",
    )
    unsettled_orders: int = Field(
        16,
        ge=1,
        description=(
            "Payments that a payer may have unsettled at a time before it has settled any; one "
            "more for each that it has settled."
        ),
    )
    unsettled_amount: str = Field(
        "10",
        pattern=r"^[0-9]{1,20}(\.[0-9]{1,36})?$",
        description=(
            "What these payments may add up to, in the token's units; more by what the payer has "
            "settled."
        ),
    )
    settle_margin_s: int = Field(
        30,
        ge=1,
        le=3600,
        description="How much longer an authorization must be valid when it is accepted.",
    )
    deadline_s: int = Field(
        3600, ge=10, description="How long a paid job may wait for a worker before its refund."
    )
    books_check_s: int = Field(
        3600,
        ge=0,
        description="Seconds between checks of the order book against the chain; 0 for none.",
    )
    cancel: Literal["never", "waiting", "running"] = Field(
        "waiting",
        description=(
            "Which jobs their payers may cancel and have refunded: none, those that wait, or "
            "those that are being computed too."
        ),
    )
    external_provers: tuple[str, ...] = Field(
        (),
        description=(
            "JSON list of command lines of external provers; see specs/external-prover.md."
        ),
    )
    prove_limit_s: float = Field(
        600.0, gt=0, allow_inf_nan=False, description="Longest that one proof may take."
    )
    workers: int = Field(
        1,
        ge=0,
        le=256,
        description=(
            "Proofs that are made at the same time. 0: none in the gateway, all by processes of "
            "`inferproof worker`."
        ),
    )
    prove_threads: int = Field(
        0,
        ge=0,
        le=256,
        description=(
            "Threads that one proof is made by. 0: the cores that the process may use, shared out "
            "among the proofs that are made at the same time."
        ),
    )
    lease_s: int = Field(
        30,
        ge=1,
        le=3600,
        description="How long a worker that is not heard of keeps its job from the others.",
    )
    early_start: bool = Field(
        False,
        description=(
            "Prove a job while its payment is being settled, when nothing else is to be done. "
            "The answer is released on settlement; where that fails, the work was for nothing."
        ),
    )
    confirmations: int = Field(
        1, ge=1, le=1000, description="Blocks, its own included, that make a settlement final."
    )
    reorg_depth: int = Field(
        12,
        ge=1,
        le=1000,
        description=(
            "Blocks after which a settlement or refund is not watched any more; a block less "
            "deep may be taken back by the chain."
        ),
    )
    max_gas_fee_wei: int = Field(
        500 * 10**9,
        ge=1,
        lt=2**128,
        description=(
            "Most that is offered for each gas, in wei. Fees of a transaction that is stuck are "
            "raised up to it."
        ),
    )
    model_registry_address: AddressText | None = Field(
        None,
        description=(
            "Address of the ModelRegistry contract on the chain whose prices and owners the "
            "gateway follows: it sells what is registered and active there, at the price there. "
            "Unset: cards say the price."
        ),
    )
    model_registry_poll_s: float = Field(
        5.0,
        ge=0.05,
        le=60,
        allow_inf_nan=False,
        description="Seconds between questions to that contract about all models that are sold.",
    )
    model_registry_max_age_s: int = Field(
        600,
        ge=10,
        le=86_400,
        description=(
            "How long models are sold by what that contract said last, while it cannot be asked; "
            "after that none is until it answers."
        ),
    )
    batch_settler_address: AddressText | None = Field(
        None,
        description=(
            "Address of the BatchSettler contract on the chain. Unset: each payment is settled "
            "by a transaction of its own."
        ),
    )
    batch_size: int = Field(
        80,
        ge=2,
        le=200,
        description="Most payments that one transaction settles, with the BatchSettler contract.",
    )
    batch_item_gas: int = Field(
        42_500,
        ge=20_000,
        le=1_000_000,
        description=(
            "Gas that a batch keeps for each payment: what the token's call takes at most. The "
            "default is for the devnet token; Circle's USDC takes 62,000 behind its proxy."
        ),
    )
    payouts_address: AddressText | None = Field(
        None,
        description=(
            "Address of the Payouts contract on the chain, which pays developers their shares. "
            "Unset: none are paid."
        ),
    )
    payout_least_units: int = Field(
        1_000_000,
        ge=1,
        lt=2**128,
        description=(
            "Least that is paid out to a developer, in atomic units of the token; what is due "
            "below it waits."
        ),
    )
    payout_size: int = Field(
        50, ge=1, le=100, description="Most developers that one transaction pays."
    )
    escrow_address: AddressText | None = Field(
        None,
        description=(
            "Address of the Escrow contract on the chain, whose orders this gateway serves with "
            "its own key. Unset: it serves none."
        ),
    )
    escrow_bond_limit_units: int = Field(
        10_000_000,
        ge=0,
        lt=2**128,
        description=(
            "Most that is staked for one order in the escrow, in atomic units of the token; an "
            "order that asks for more is not taken."
        ),
    )
    escrow_keep_units: int | None = Field(
        None,
        ge=1,
        lt=2**128,
        description=(
            "What is kept in the escrow to take bonds of, in atomic units of the token: filled up "
            "from the gateway's account, which also refunds, and taken out above twice as much. "
            "Unset: nothing is moved."
        ),
    )
    escrow_margin_s: int = Field(
        60,
        ge=1,
        le=86_400,
        description=(
            "Seconds that each of the times of an order in the escrow must leave for a transaction "
            "to come into a block, beside twice the estimate of proving."
        ),
    )
    escrow_coin_units: int | None = Field(
        None,
        ge=1,
        lt=2**128,
        description=(
            "What a coin of the chain, of 10^18 wei, is worth in atomic units of the token: an "
            "order in the escrow that brings less than its gas is not taken. Unset: gas is not "
            "weighed."
        ),
    )
    reputation_poll_s: float = Field(
        15.0,
        ge=0.05,
        le=3600,
        allow_inf_nan=False,
        description=(
            "How often the reputation of the escrow's market is asked for the scores of providers, "
            "by which lists of models are ranked."
        ),
    )
    access_address: AddressText | None = Field(
        None,
        description=(
            "Address of the Access contract on the chain, of which this gateway takes calls that "
            "buyers bought there before. Its owner must let the gateway's key take them. Unset: it "
            "takes none."
        ),
    )
    transfer_payments: bool = Field(
        True,
        description=(
            "Whether a transfer that the payer made before can pay for a call. Its payee must "
            "receive money for nothing else."
        ),
    )
    transfer_confirmations: int = Field(
        3,
        ge=1,
        le=1000,
        description="Blocks, its own included, that make a transfer made before final.",
    )
    transfer_max_age_s: int = Field(
        86_400,
        ge=60,
        le=2**31,
        description="How long ago a transfer that pays for a call may have been made.",
    )
    index_contracts: tuple[SourceText, ...] = Field(
        (),
        description=(
            "JSON list of contracts whose events are read, each as NAME=ADDRESS@BLOCK: the name of "
            "its ABI in this release, its address, the block that it was deployed in. Empty: none."
        ),
    )
    index_confirmations: int = Field(
        12,
        ge=1,
        le=10_000,
        description=(
            "Blocks, its own included, after which an event of a contract is not provisional any "
            "more."
        ),
    )
    index_kept_blocks: int = Field(
        256,
        ge=2,
        le=10_000,
        description=(
            "Headers that are kept of the blocks whose events were read: a chain may replace so "
            "many blocks without a rebuild. At least the confirmations."
        ),
    )
    index_span_blocks: int = Field(
        2000,
        ge=1,
        le=100_000,
        description="Most blocks that a node is asked for events of at once.",
    )
    index_every_s: float = Field(
        2.0,
        gt=0,
        le=3600,
        allow_inf_nan=False,
        description="How long after one look for new events the next one is taken.",
    )
    body_limit_bytes: int = Field(
        8 * MIB, ge=1024, le=64 * MIB, description="Largest request body."
    )
    verify_limit_bytes: int = Field(
        16 * MIB,
        ge=1024,
        le=512 * MIB,
        description="Largest proof or receipt file that /v1/verify takes.",
    )
    submission_limit_bytes: int = Field(
        16 * MIB,
        ge=1024,
        le=96 * MIB,
        description="Largest model submission; most of it is the verifier bundle.",
    )
    rate_requests: RateText = Field(
        "6000/minute", description="Requests of one address, or one API key; off counts nothing."
    )
    rate_quotes: RateText = Field(
        "600/minute",
        description="Of these, challenges, quotes and facilitator calls; off counts nothing.",
    )
    rate_verifications: RateText = Field(
        "60/minute", description="Of these, calls of /v1/verify; off counts nothing."
    )
    rate_submissions: RateText = Field(
        "20/hour", description="Of these, models submitted; off counts nothing."
    )
    rate_orders: RateText = Field(
        "600/minute", description="New orders of one payer, or one API key; off counts nothing."
    )
    redis_url: SecretStr | None = Field(
        None,
        description=(
            "Redis that several gateways count in, such as redis://:password@host:6379/0. "
            "Unset: each counts for itself, in memory."
        ),
    )
    redis_down: Literal["refuse", "allow"] = Field(
        "refuse",
        description=(
            "What becomes of calls while that Redis does not answer: refused with 503, or allowed "
            "uncounted."
        ),
    )
    requests_limit: int = Field(
        1024,
        ge=1,
        description="Requests that are under way at once; beyond, they are answered with 503.",
    )
    connections_limit: int = Field(
        2048,
        ge=1,
        description=(
            "Connections that are open at once in a process; beyond, requests are answered with "
            "503 and their connections closed."
        ),
    )
    body_timeout_s: float = Field(
        20.0,
        gt=0,
        allow_inf_nan=False,
        description="How long a body may take; one that comes at 16 KiB a second may take longer.",
    )
    keep_alive_s: int = Field(
        5, ge=1, le=3600, description="How long a connection stays open without a request."
    )
    verifications_kept: int = Field(
        100_000, ge=1, description="Records of verifications that are kept; the oldest go first."
    )
    verifications_days: int = Field(
        90, ge=1, le=36_500, description="How many days a record of a verification is kept."
    )
    unpaid_days: int = Field(
        7,
        ge=0,
        le=3650,
        description=(
            "Days after which a job is forgotten that ended unpaid and cost nobody anything. 0 "
            "keeps them."
        ),
    )
    blobs_days: int = Field(
        7,
        ge=0,
        le=36_500,
        description=(
            "After how many days a blob that no job, model or checkpoint names is removed, such as "
            "the proof of a job that was refunded; 0 keeps them all."
        ),
    )
    event_streams: int = Field(
        256,
        ge=0,
        le=100_000,
        description="Most event streams of jobs that are open at once; of one job at most four.",
    )
    webhook_private: bool = Field(
        False,
        description=(
            "Whether webhooks may be plain http and lead to this machine or a private network. "
            "For development: it lets buyers reach what the gateway reaches."
        ),
    )
    webhook_attempts: int = Field(
        12,
        ge=1,
        le=100,
        description="How often a webhook is tried before it is dead; twelve take three hours.",
    )
    shutdown_s: float = Field(
        30.0,
        ge=0,
        allow_inf_nan=False,
        description="How long requests in progress may take to end when the gateway stops.",
    )

    @classmethod
    def load(cls, **given: object) -> "Settings":
        """The settings of the environment, with `given` before it.

        Raises: Misconfigured SETTING_WRONG naming the first wrong one; a secret is never shown.
        """
        try:
            settings = cls(**given)  # type: ignore[arg-type]
        except SettingsError as error:  # a list that is not JSON; its text shows no value
            field = next((f for f in cls.model_fields if f'"{f}"' in str(error)), "(one)")
            raise Misconfigured(
                Reason.SETTING_WRONG, name=variable(field), problem="it is not a JSON list"
            ) from None
        except ValidationError as error:
            first = error.errors(include_input=False, include_url=False, include_context=False)[0]
            name = str(first["loc"][0]) if first["loc"] else "(all)"
            raise Misconfigured(
                Reason.SETTING_WRONG, name=variable(name), problem=_problem(first["msg"])
            ) from None
        _refuse_misspelt(cls.model_fields)
        return settings

    @property
    def database(self) -> str:
        """The SQLAlchemy address of the database."""
        return self.database_url or f"sqlite+aiosqlite:///{self.data_dir / 'inferproof.db'}"

    @property
    def on_sqlite(self) -> bool:
        """Whether the database is a file of SQLite's, which one process alone may keep open."""
        return self.database.startswith("sqlite")

    @property
    def is_apart(self) -> bool:
        """Whether a gateway of these settings leaves all but requests to other processes."""
        return self.processes > 1 or self.background == "apart"

    def rate(self, text: str) -> Rate | None:
        """The rate that one of the settings rate_… names; None where it is off."""
        return None if text == OFF else Rate.parse(text)

    @property
    def queue_share(self) -> int:
        """The most waiting jobs of one payer."""
        return max(1, self.queue_limit * self.queue_share_percent // 100)

    @property
    def unsettled_units(self) -> int:
        """`unsettled_amount` in atomic units. Raises: Misconfigured SETTING_WRONG."""
        try:
            return parse_units(self.unsettled_amount, self.token_decimals)
        except RequestRejected as error:
            raise Misconfigured(
                Reason.SETTING_WRONG, name=variable("unsettled_amount"), problem=error.message
            ) from None

    @property
    def sources(self) -> SourceSet | None:
        """The contracts whose events are read; None where there are none.

        Raises: Misconfigured SETTING_WRONG.
        """
        if not self.index_contracts:
            return None
        found = []
        for text in self.index_contracts:
            name, _, rest = text.partition("=")
            address, _, block = rest.partition("@")
            found.append(Source(name, Address.from_hex(address), int(block)))
        try:
            return SourceSet(self.chain_id, tuple(found))
        except ValueError:
            raise Misconfigured(
                Reason.SETTING_WRONG,
                name=variable("index_contracts"),
                problem="an address stands in it twice",
            ) from None

    @property
    def asset(self) -> Asset:
        """The token that is paid with. Raises: Misconfigured SETTING_MISSING."""
        if self.token_address is None:
            raise Misconfigured(Reason.SETTING_MISSING, name=variable("token_address"))
        return Asset(
            network=Network.evm(self.chain_id),
            address=Address.from_hex(self.token_address),
            symbol=self.token_symbol,
            decimals=self.token_decimals,
            domain_name=self.token_name,
            domain_version=self.token_version,
        )

    @property
    def rpc(self) -> str:
        """The address of the node. Raises: Misconfigured SETTING_MISSING."""
        if self.rpc_url is None:
            raise Misconfigured(Reason.SETTING_MISSING, name=variable("rpc_url"))
        return str(self.rpc_url)

    def signing_key(self) -> SigningKey:
        """The gateway's key, from the setting or from its file.

        Raises: Misconfigured SETTING_MISSING (neither is there), SETTING_WRONG, KEY_FILE_OPEN
        (others than its owner can read the file).
        """
        if self.gateway_key is not None:
            return read_key(self.gateway_key, variable("gateway_key"))
        path = self.gateway_key_file or self.data_dir / KEY_FILE
        try:
            mode = path.stat().st_mode
            text = path.read_text("ascii").strip()
        except FileNotFoundError:
            raise Misconfigured(Reason.SETTING_MISSING, name=variable("gateway_key_file")) from None
        except (OSError, UnicodeDecodeError):
            raise Misconfigured(
                Reason.SETTING_WRONG,
                name=variable("gateway_key_file"),
                problem=f"{path} cannot be read",
            ) from None
        if mode & 0o077:
            raise Misconfigured(Reason.KEY_FILE_OPEN, path=path)
        return read_key(SecretStr(text), variable("gateway_key_file"))


def _refuse_misspelt(known: Iterable[str]) -> None:
    """Raises: Misconfigured SETTING_WRONG for a variable that is nearly a setting's name.

    Others that begin with our prefix belong to the buyer's commands and to tools.
    """
    names = {variable(field) for field in known}
    for name in sorted(os.environ):
        if name.startswith(PREFIX) and name not in names:
            near = difflib.get_close_matches(name, names, n=1, cutoff=NEARLY)
            if near:
                problem = f"there is no such setting; {near[0]} is one"
                raise Misconfigured(Reason.SETTING_WRONG, name=name, problem=problem)


def variable(field: str) -> str:
    """The environment variable of a setting."""
    return PREFIX + field.upper()


def _problem(message: str) -> str:
    return message.removeprefix("Value error, ")[:300]


def read_key(secret: SecretStr, name: str) -> SigningKey:
    """The key in a setting. Raises: Misconfigured SETTING_WRONG, which never shows it."""
    try:
        return SigningKey.from_hex(secret.get_secret_value().strip())
    except InferproofError as error:
        raise Misconfigured(Reason.SETTING_WRONG, name=name, problem=error.message) from None
