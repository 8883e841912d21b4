import sys

import peer
from keys import ApiKey, Base, hash_of, open_engine
from sqlalchemy import insert

directory, count = sys.argv[1], int(sys.argv[2])
tokens = peer.made(count)
engine = open_engine(directory)
Base.metadata.create_all(engine)
rows = [{"hash": hash_of(token), "owner": f"user{n}", "permissions": "contacts:read"} for n, token in enumerate(tokens)]
with engine.begin() as connection:
    connection.execute(insert(ApiKey.__table__), rows)
peer.write_headers(directory, ["Bearer " + token for token in tokens])
