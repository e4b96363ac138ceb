"""PostgreSQL, through psycopg 3: how it is reached and its tables are made."""

from __future__ import annotations

from sqlalchemy import URL, Connection, Engine, create_engine, inspect, make_url, text
from sqlalchemy.exc import ArgumentError

from ..errors import StorageError
from .tables import HEAD, metadata

CONNECT_S = 10
ASLEEP_S = 30.0  # a process stopped or cut off in a transaction holds up all others
_MAKING = 0x64616E6C  # the advisory lock under which tables are made; "danl"


def open_server(url: str) -> Engine:
    """An engine for the database at `url`, whose tables are there.

    Raises:
        StorageError: psycopg is not installed, or the address makes no sense.
    """
    address = _address(url)
    asleep = f"-c idle_in_transaction_session_timeout={round(1000 * ASLEEP_S)}"
    engine = create_engine(
        address,
        pool_size=2,
        connect_args={
            "options": f"{address.query.get('options', '')} {asleep}".strip(),
            "connect_timeout": CONNECT_S,
            "application_name": "danlu",
            "keepalives_idle": 30,
            "keepalives_interval": 10,
            "keepalives_count": 3,
            "tcp_user_timeout": 60_000,  # ms; a cut network is noticed within a minute
        },
    )
    with engine.begin() as connection:
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _MAKING})
        if not inspect(connection).has_table("alembic_version"):
            _make_tables(connection)
    return engine


def place_of(url: str) -> str:
    """The address as it may be shown: without its password."""
    return _address(url).render_as_string(hide_password=True)


def _address(url: str) -> URL:
    try:
        address = make_url(url)
    except ArgumentError as error:
        raise StorageError(
            f"no address of a database: {error}; write "
            "postgresql://user:password@host:5432/name"
        ) from None
    try:
        import psycopg  # noqa: F401  # sqlalchemy's own message is less helpful
    except ImportError as error:
        raise StorageError(
            f"PostgreSQL needs psycopg: pip install 'danlu[postgres]' ({error})"
        ) from error
    return address.set(drivername="postgresql+psycopg")


def _make_tables(connection: Connection) -> None:
    metadata.create_all(connection)
    connection.execute(
        text("CREATE TABLE alembic_version (version_num VARCHAR(32) PRIMARY KEY)")
    )
    connection.execute(
        text("INSERT INTO alembic_version VALUES (:head)"), {"head": HEAD}
    )
