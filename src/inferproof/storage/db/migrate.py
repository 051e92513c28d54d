"""Brings a database to this version's schema; the steps are in migrations/versions."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from inferproof.errors import Misconfigured, Reason

MIGRATIONS = Path(__file__).parent / "migrations"


RESTORING = "restoring"
"""Stands in place of a revision while a restore is under way."""


def known_revisions() -> set[str]:
    """The schemas that this version can bring to its own."""
    return {step.revision for step in ScriptDirectory(str(MIGRATIONS)).walk_revisions()}


def upgrade(connection: Connection, to: str = "head") -> None:
    """Runs the steps that the database has not had yet, in the connection's transaction.

    Raises: Misconfigured DATABASE_NEWER when it had one that this version does not know,
    DATABASE_RESTORING when a restore of it has not ended.
    """
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    known = {step.revision for step in ScriptDirectory.from_config(config).walk_revisions()}
    current = MigrationContext.configure(connection).get_current_revision()
    if current == RESTORING:
        raise Misconfigured(Reason.DATABASE_RESTORING)
    if current is not None and current not in known:
        raise Misconfigured(Reason.DATABASE_NEWER, got=current)
    command.upgrade(config, to)
