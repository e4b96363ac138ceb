"""The database's own clock, so that processes of several machines agree on leases."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Float
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement


class epoch_now(FunctionElement[float]):  # a SQL function
    """Seconds since 1970 by the database's clock."""

    type = Float()
    inherit_cache = True


@compiles(epoch_now, "sqlite")
def _in_sqlite(element: object, compiler: Any, **keywords: Any) -> str:
    return "((julianday('now') - 2440587.5) * 86400.0)"


@compiles(epoch_now, "postgresql")
def _in_postgresql(element: object, compiler: Any, **keywords: Any) -> str:
    return "extract(epoch FROM clock_timestamp())::double precision"


class up_since(FunctionElement[float]):  # a SQL function
    """When the server came up, in seconds since 1970; 0 where there is none."""

    type = Float()
    inherit_cache = True


@compiles(up_since, "sqlite")
def _in_a_file(element: object, compiler: Any, **keywords: Any) -> str:
    return "0.0"


@compiles(up_since, "postgresql")
def _of_a_server(element: object, compiler: Any, **keywords: Any) -> str:
    return "extract(epoch FROM pg_postmaster_start_time())::double precision"
