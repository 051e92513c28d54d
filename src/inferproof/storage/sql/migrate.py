"""Brings a database to this version's schema; the steps are in migrations/versions."""

from functools import cache
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


@cache
def known_revisions() -> tuple[str, ...]:
    """The schemas that this version can bring to its own, and its own, which is the first."""
    return tuple(step.revision for step in ScriptDirectory(str(MIGRATIONS)).walk_revisions())


def upgrade(connection: Connection, to: str = "head") -> None:
    """Runs the steps that the database has not had yet, in the connection's transaction.

    Raises: Misconfigured DATABASE_NEWER when it had one that this version does not know,
    DATABASE_RESTORING when a restore of it has not ended.
    """
    current = MigrationContext.configure(connection).get_current_revision()
    if current == RESTORING:
        raise Misconfigured(Reason.DATABASE_RESTORING)
    if current is not None and current not in known_revisions():
        raise Misconfigured(Reason.DATABASE_NEWER, got=current)
    if current == (known_revisions()[0] if to == "head" else to):
        return
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    command.upgrade(config, to)
