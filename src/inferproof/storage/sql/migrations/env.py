"""Alembic's entry: migrates over the connection that it is given."""

from alembic import context

from inferproof.storage.sql.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transactional_ddl=False,  # the caller's transaction holds all steps
)
context.run_migrations()
