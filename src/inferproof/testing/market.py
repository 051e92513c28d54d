"""A whole market on this machine: local chain, gateway, the zoo's models, ready to sell.

    with Market(folder) as market:
        market.url, market.devnet.accounts.buyer, market.models ...

Compiled models are kept in the folder and used again while nothing they depend on changed.
The chain and the orders are new each time: a chain in memory forgets, so a database must too.
"""

import asyncio
import hashlib
import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import inferproof
from inferproof.app.compiling import compile_card
from inferproof.app.key_budgets import accept, give
from inferproof.app.openings import local_openings, local_system
from inferproof.app.publishing import install_model
from inferproof.app.router_proofs import contract_key
from inferproof.app.stores import open_stores
from inferproof.chain.deployments import save_deployment
from inferproof.chain.escrow import open_escrow
from inferproof.chain.model_registry import open_registry
from inferproof.chain.private_proofs import store_programs
from inferproof.chain.release import recorded
from inferproof.chain.rpc import Rpc
from inferproof.chain.verifier import VerifyingKeyArtifact, register_vka
from inferproof.errors import ArtifactRejected, Conflict, MissingPart, Reason, Unavailable
from inferproof.inference.preprocess import load_preprocessing
from inferproof.models.card import ModelCard, load_card
from inferproof.protocol.encoding import canonical_json
from inferproof.protocol.opening import FORMAT as OPENING_FORMAT
from inferproof.protocol.registration import SEAL_AGE_S, raw_content_id
from inferproof.protocol.verifier_bundle import encode_bundle
from inferproof.proving.base import Progress, no_progress
from inferproof.proving.ezkl.evm import evm_vka
from inferproof.proving.pool import WorkerPool
from inferproof.proving.registry import get_system, require_native
from inferproof.proving.sumcheck.contract import contract_programs
from inferproof.proving.sumcheck.private_key import has_key, read_key
from inferproof.proving.sumcheck.profiles import DEFAULT_PROFILE, EVM
from inferproof.settings import Settings
from inferproof.storage.openings.local import LocalOpeningBudgets
from inferproof.testing.devnet import Devnet, DevnetInfo, devnet_contracts
from inferproof.testing.live import LiveGateway
from inferproof.types.digest import ZERO_DIGEST
from inferproof.types.registry import CommitmentKind, Registration, Terms, TokenPrice

ZOO = ("sentiment", "token_risk", "fraud")
EZKL, SUMCHECK = "ezkl", "sumcheck"
BEHIND_S = 120
"""So that a registration's minute passes without anybody waiting, and the clock is right after."""
STAKES = 10_000_000
"""What the gateway has in the escrow for bonds, in atomic units: ten dollars."""
OPENINGS = 32
"""How many openings of a key a market's order book is given, which ends with the market: one for
each process of its gateway that proves, and one more where buyers ask for private inputs."""


def find_zoo() -> Path:
    """The folder of the three models: in the package, or in the clone that it runs from.

    Raises: MissingPart MISSING_TOOL.
    """
    package = Path(inferproof.__file__).parent
    for folder in (package / "zoo_models", package.parents[1] / "zoo"):
        if (folder / ZOO[0] / "card.toml").is_file():
            return folder
    raise MissingPart(
        Reason.MISSING_TOOL,
        feature="the demonstration",
        tool="zoo",
        mend="run it in a clone of the repository, or install a wheel built by make wheel",
    )


@dataclass(frozen=True, slots=True)
class Listing:
    """A model of the market: its card, and where it lies compiled.

    `by_ezkl` is where it lies compiled with ezkl: `compiled` itself, or a second time, or nowhere.
    """

    card: ModelCard
    compiled: Path
    by_ezkl: Path | None = None


class LocalChain:
    """A chain with the zoo's models compiled and their keys registered; a context manager.

    `folder` keeps compiled models, whose openings the user's own records count; ports of zero take
    free ones. `cards` are sold in place of the zoo's models, each a card or the folder it lies in.
    `system` is the proof system in place of that of each card. With `for_contracts` models are
    compiled for the profile whose proofs a contract checks, and the contract holds their programs;
    with `also_ezkl` every model is also compiled with ezkl. `report` is told of each stage with the
    share of the whole that is done. Raises, on entering: Unavailable DEVNET_FOLDER_BUSY,
    DEVNET_NOT_STARTED; MissingPart; ModelRejected.
    """

    def __init__(
        self,
        folder: Path,
        *,
        rpc_port: int = 0,
        zoo: tuple[str, ...] = ZOO,
        cards: tuple[Path, ...] = (),
        system: str | None = None,
        for_contracts: bool = False,
        also_ezkl: bool = False,
        escrow: bool = False,
        report: Progress = no_progress,
    ) -> None:
        self.folder = folder
        self.models: tuple[Listing, ...] = ()
        self.notes: list[str] = []
        """What is not as the cards say, for the person at the terminal."""
        self._zoo = zoo
        self._cards = cards
        self._system = system
        self._profile = EVM if for_contracts else DEFAULT_PROFILE
        self._also_ezkl = also_ezkl
        self._report = report
        self._escrow = escrow
        self._chain = Devnet(port=rpc_port, behind_s=BEHIND_S if escrow else 0)
        self._open = ExitStack()

    @property
    def devnet(self) -> DevnetInfo:
        """Addresses and keys of the chain."""
        return self._chain.info

    @property
    def running(self) -> bool:
        """Whether everything that was started still runs."""
        return self._chain.pid is not None

    @property
    def pid(self) -> int:
        """The process id of the node. Raises: Unavailable DEVNET_NOT_STARTED."""
        pid = self._chain.pid
        if pid is None:
            raise Unavailable(Reason.DEVNET_NOT_STARTED, why="it does not run")
        return pid

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self.enter(stack)
            self._open = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._open.close()

    def enter(self, stack: ExitStack) -> None:
        """Starts everything; what must end is put on the stack."""
        self._report("starting the chain", 0.02)
        stack.enter_context(_held(self.folder))
        stack.enter_context(self._chain)
        with ExitStack() as work:
            pool = WorkerPool(1)
            work.callback(pool.close)
            self._cards = self._cards or tuple(find_zoo() / name for name in self._zoo)
            self.models = tuple(self._listing(path, i, pool) for i, path in enumerate(self._cards))
            self._report("registering the models' keys on chain", 0.85)
            asyncio.run(self._register(pool))
            if self._escrow:
                self._open_escrow(pool)
                self._chain.catch_up()

    def _listing(self, path: Path, index: int, pool: WorkerPool) -> Listing:
        card = self._card(path)
        if card.proof.system == EZKL or not self._also_ezkl:
            compiled = self._compiled(card, index, 1.0, pool)
            return Listing(card, compiled, compiled if card.proof.system == EZKL else None)
        compiled = self._compiled(card, index, 0.5, pool)
        again = self._with_system(card, EZKL)
        return Listing(card, compiled, self._compiled(again, index + 0.5, 0.5, pool))

    def _compiled(self, card: ModelCard, done: float, more: float, pool: WorkerPool) -> Path:
        """Where the card's model lies compiled; `done` models were compiled before, and `more`
        will be."""

        def report(stage: str, share: float) -> None:
            of_all = (done + more * share) / len(self._cards)
            self._report(f"{card.id}, {card.proof.system}: {stage}", 0.05 + 0.8 * of_all)

        profile = self._profile if card.proof.system == SUMCHECK else DEFAULT_PROFILE
        compiled = self.folder / "compiled" / f"{card.id}-{_fingerprint(card, profile)}"
        if not _usable(compiled):
            shutil.rmtree(compiled, ignore_errors=True)
            compiled.parent.mkdir(parents=True, exist_ok=True)
            with local_system(card.proof.system, pool) as system:
                compile_card(card, compiled, system, report, profile=profile)
        return compiled

    def _card(self, path: Path) -> ModelCard:
        """The model's card, or a copy of it that names another proof system: the one that was
        asked for, or ezkl where the native prover is not built."""
        card = load_card(path)
        if self._system is not None:
            return self._with_system(card, self._system)
        try:
            require_native(card.proof.system)
        except MissingPart as missing:
            self.notes.append(f"{card.id} is proven with {EZKL}: {missing.message}")
            return self._with_system(card, EZKL)
        return card

    def _with_system(self, card: ModelCard, system: str) -> ModelCard:
        if card.proof.system == system:
            return card
        copy = self.folder / "cards" / system / card.folder.name
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(card.folder, copy)
        path = copy / "card.toml"
        old, new = f'system = "{card.proof.system}"', f'system = "{system}"'
        path.write_text(path.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")
        return load_card(copy)

    async def _register(self, pool: WorkerPool) -> None:
        info = self.devnet
        async with Rpc(info.rpc_url) as rpc:
            for listing in self.models:
                if listing.by_ezkl is not None:
                    bundle = get_system(EZKL, pool).verifier(listing.by_ezkl)
                    vka = VerifyingKeyArtifact.from_ezkl_file(evm_vka(bundle, pool))
                    await register_vka(rpc, info.verifier, vka, info.accounts.provider)
                if self._profile == EVM and listing.card.proof.system == SUMCHECK:
                    key = get_system(SUMCHECK, pool).verifier(listing.compiled).verifying_key
                    programs = contract_programs(key).every
                    await store_programs(rpc, info.private_proofs, programs, info.accounts.provider)
            found = await recorded(rpc, devnet_contracts())
        save_deployment(self.folder / "deployments.toml", found)

    def _open_escrow(self, pool: WorkerPool) -> None:
        """The gateway owns every model on the chain, and has stakes in the escrow."""
        owner, token = self.devnet.accounts.gateway, self.devnet.token.address

        async def seal(registration: Registration) -> None:
            async with Rpc(self.devnet.rpc_url) as rpc:
                registry = await open_registry(rpc, self.devnet.model_registry)
                await registry.seal(registration, owner)

        async def register(registration: Registration) -> None:
            async with Rpc(self.devnet.rpc_url) as rpc:
                registry = await open_registry(rpc, self.devnet.model_registry)
                await registry.register(registration, owner)

        async def stake() -> None:
            async with Rpc(self.devnet.rpc_url) as rpc:
                await (await open_escrow(rpc, self.devnet.escrow)).deposit(token, STAKES, owner)

        registrations = [self._registration(each, pool) for each in self.models]
        for each in registrations:
            asyncio.run(seal(each))
        self._chain.pass_time(SEAL_AGE_S + 1)
        for each in registrations:
            asyncio.run(register(each))
        asyncio.run(stake())

    def _registration(self, listing: Listing, pool: WorkerPool) -> Registration:
        card, info = listing.card, self.devnet
        bundle = get_system(card.proof.system, pool).verifier(listing.compiled)
        terms = Terms(
            contract_key(bundle),
            CommitmentKind.DISCLOSED,
            CommitmentKind.DISCLOSED,
            ZERO_DIGEST,
            "",
            raw_content_id(encode_bundle(bundle)),
        )
        return Registration(
            bundle.commitment,
            bundle.commitment,
            info.accounts.gateway.address,
            2**40,
            terms,
            (TokenPrice(info.token.address, card.price.atomic),),
        )


class Market(LocalChain):
    """A local chain and a gateway on it that sells its models. `port` of zero takes a free one.

    Raises, on entering, also: ArtifactRejected, Misconfigured.
    """

    def __init__(
        self,
        folder: Path,
        *,
        port: int = 0,
        rpc_port: int = 0,
        zoo: tuple[str, ...] = ZOO,
        cards: tuple[Path, ...] = (),
        system: str | None = None,
        for_contracts: bool = False,
        also_ezkl: bool = False,
        escrow: bool = False,
        settings: Mapping[str, object] | None = None,
        report: Progress = no_progress,
    ) -> None:
        super().__init__(
            folder,
            rpc_port=rpc_port,
            zoo=zoo,
            cards=cards,
            system=system,
            for_contracts=for_contracts,
            also_ezkl=also_ezkl,
            escrow=escrow,
            report=report,
        )
        self.url = ""
        self._port = port
        self._gateway: LiveGateway | None = None
        self._given = dict(settings or {})

    @property
    def running(self) -> bool:
        return super().running and self._gateway is not None and self._gateway.running

    def enter(self, stack: ExitStack) -> None:
        super().enter(stack)
        settings = self._settings()
        self._report("starting the gateway", 0.95)
        for listing in self.models:
            asyncio.run(self._sell(settings, listing))
        self._gateway = stack.enter_context(LiveGateway(settings))
        self.url = self._gateway.url
        self._report("ready", 1.0)

    async def _sell(self, settings: Settings, listing: Listing) -> None:
        """Publishes a model. The order book gets a slice of its openings: the next market has
        another order book, and proves under the same key."""
        accounts = self.devnet.accounts
        compiled, provider = listing.compiled, accounts.provider
        if self._escrow:  # an order is paid to who proves it
            provider = accounts.gateway
        if has_key(compiled):
            async with open_stores(settings) as stores:
                taker = await stores.openings.store(read_key(compiled).name)
                slots = await give(LocalOpeningBudgets(), compiled, taker, OPENINGS)
                await accept(stores.openings, slots)
        await install_model(settings, listing.card.folder, compiled, key=provider)

    def _settings(self) -> Settings:
        info = self.devnet
        data = self.folder / "gateway"
        shutil.rmtree(data, ignore_errors=True)
        given = info.settings(data) | {"port": self._port, "sync_wait_s": 120.0}
        if self._escrow:
            given |= {"escrow_address": info.escrow.hex, "escrow_margin_s": 5}
        return Settings.load(**(given | self._given))


def _usable(compiled: Path) -> bool:
    """Whether a model lies there compiled of which, where its key's openings are counted, this
    machine counts enough for one more market."""
    if not compiled.is_dir() or not has_key(compiled):
        return compiled.is_dir()
    try:
        budget = local_openings(compiled).budget(read_key(compiled).name)
    except (ArtifactRejected, Conflict):
        return False
    return budget.left >= OPENINGS


@contextmanager
def _held(folder: Path) -> Iterator[None]:
    """Keeps a second market out of the folder, whose database it would replace.

    Raises: Unavailable DEVNET_FOLDER_BUSY.
    """
    import fcntl  # not on Windows

    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Unavailable(Reason.DEVNET_FOLDER_BUSY, path=folder) from None
        yield


def _fingerprint(card: ModelCard, profile: str) -> str:
    """Names what a compiled model depends on; another name means compiling anew."""
    preprocessing = load_preprocessing(card.preprocessing, card.folder).canonical()
    state = hashlib.sha256(canonical_json(preprocessing))
    system = get_system(card.proof.system)
    # The form of the opening too: what was compiled before there was one names its digests plainly.
    state.update(f"{card.proof} {system.version} {OPENING_FORMAT}".encode())
    if profile != DEFAULT_PROFILE:
        state.update(profile.encode())
    for path in (card.model_path, card.calibration_path):
        if path is not None:
            state.update(hashlib.sha256(path.read_bytes()).digest())
    return state.hexdigest()[:16]
