"""FastAPI that looks each key up: a session of SQLAlchemy for each request, in functions that FastAPI runs in its threads."""

import os
import time
from typing import Annotated

from fastapi import Depends, FastAPI, HTTPException, status
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from keys import ApiKey, hash_of, open_engine
from sqlalchemy.orm import Session

engine = open_engine(os.environ["DIRECTORY"])
app = FastAPI()


def get_session():
    with Session(engine) as session:
        yield session


def require_key(
    credentials: Annotated[HTTPAuthorizationCredentials, Depends(HTTPBearer())],
    session: Annotated[Session, Depends(get_session)],
) -> ApiKey:
    key = session.get(ApiKey, hash_of(credentials.credentials))
    if key and key.revoked_at is None and (key.expires_at is None or key.expires_at > time.time()):
        return key
    raise HTTPException(status.HTTP_401_UNAUTHORIZED, headers={"WWW-Authenticate": "Bearer"})


@app.get("/check", status_code=status.HTTP_204_NO_CONTENT)
def check(_key: Annotated[ApiKey, Depends(require_key)]) -> None:
    pass
