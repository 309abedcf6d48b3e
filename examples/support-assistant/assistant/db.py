"""Connections: one pool for each role, server and database from the usual PG* variables."""

import os

import psycopg
from psycopg.rows import dict_row
from psycopg_pool import ConnectionPool

# Worth another try: serialization failure, deadlock, a server that goes down or comes up, a connection that was lost.
RETRYABLE = {"40001", "40P01", "57P01", "57P02", "57P03", "08000", "08003", "08006"}
ATTEMPTS = 3


class Role:
    """What one role does. Passwords come from ~/.pgpass or PGPASSWORD, as everywhere else."""

    def __init__(self, user: str, connections: int = 2):
        self.user = user
        # A server that cannot be reached is an error at once, not a pool that tries in the background.
        psycopg.connect(user=user, application_name="support-assistant").close()
        self.pool = ConnectionPool(
            kwargs={
                "user": user,
                "application_name": "support-assistant",
                "row_factory": dict_row,
                "autocommit": True,
            },
            min_size=1,
            max_size=connections,
            open=True,
        )

    def rows(self, sql: str, parameters=None) -> list[dict]:
        """Runs one statement, again where that may help: every call of this application is safe to repeat."""
        for attempt in range(1, ATTEMPTS + 1):
            try:
                with self.pool.connection() as connection:
                    return connection.execute(sql, parameters).fetchall()
            except psycopg.Error as error:
                lost = isinstance(error, psycopg.OperationalError) and error.sqlstate is None
                if attempt == ATTEMPTS or not (lost or error.sqlstate in RETRYABLE):
                    raise

    def row(self, sql: str, parameters=None) -> dict:
        return self.rows(sql, parameters)[0]

    def value(self, sql: str, parameters=None):
        """The only column of the only row. jsonb arrives as Python objects."""
        return next(iter(self.row(sql, parameters).values()))

    def many(self, sql: str, parameters: list) -> None:
        """One statement for many rows, all of them or none, without waiting for each answer."""
        with self.pool.connection() as connection, connection.transaction(), connection.cursor() as cursor:
            cursor.executemany(sql, parameters)

    def close(self) -> None:
        self.pool.close()


class Database:
    """The roles of setup.sql: the assistant records and asks, reviewers correct, the trainer trains."""

    def __init__(self):
        self.roles = []
        try:
            self.app = self._role("SUPPORT_APP_USER", "support_app", connections=4)
            self.reviewer = self._role("SUPPORT_REVIEWER_USER", "support_reviewer")
            self.trainer = self._role("SUPPORT_TRAINER_USER", "support_trainer")
        except psycopg.Error:
            self.close()
            raise

    def _role(self, variable: str, default: str, connections: int = 2) -> Role:
        role = Role(os.environ.get(variable, default), connections)
        self.roles.append(role)
        return role

    def close(self) -> None:
        for role in self.roles:
            role.close()


def explain(error: psycopg.Error) -> str:
    """What the server says, for the person who has to act on it."""
    parts = [f"{error.sqlstate or 'no connection'}: {error.diag.message_primary or error}"]
    if error.diag.message_detail:
        parts.append(error.diag.message_detail)
    # libpq gives no SQLSTATE for a connection that was not made.
    if error.sqlstate in (None, "42883", "42P01", "28000"):
        parts.append("Has setup.sql been run in this database?")
    elif error.diag.message_hint:
        parts.append(error.diag.message_hint)
    return "\n  ".join(parts)
