"""The table of keys: what `prepare` fills and the server asks."""

import hashlib

from sqlalchemy import String, create_engine, event
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    pass


class ApiKey(Base):
    __tablename__ = "api_keys"

    hash: Mapped[bytes] = mapped_column(primary_key=True)
    owner: Mapped[str] = mapped_column(String(64))
    permissions: Mapped[str] = mapped_column(String(255))
    expires_at: Mapped[int | None]
    revoked_at: Mapped[int | None]


def hash_of(token):
    return hashlib.sha256(token.encode()).digest()


def open_engine(directory):
    # A session has its connection until the answer is sent; with fewer than there are requests, they wait for each other for ever.
    pool = {"pool_size": 128, "connect_args": {"check_same_thread": False}}
    engine = create_engine(f"sqlite:///{directory}/keys.db", **pool)
    event.listen(engine, "connect", lambda connection, _: connection.execute("PRAGMA journal_mode = WAL"))
    return engine
