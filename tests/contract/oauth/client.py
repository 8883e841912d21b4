"""Asks Portcullis about tokens as any OAuth client would, with one that knows nothing of it: authlib.

    PORTCULLIS_URL=http://127.0.0.1:7373 OPERATOR_ID=opk_… OPERATOR_TOKEN=op_live_… \\
    GOOD_TOKEN=ak_live_… REVOKED_TOKEN=ak_live_… TO_REVOKE_TOKEN=ak_live_… python client.py

The operator key has the grants keys:verify and keys:write. TO_REVOKE_TOKEN is a token of another live key, and is revoked.
One line of JSON on standard output says what was seen.
"""

import base64
import datetime
import json
import os
import re
import sys
import time

# Authlib takes http only where it is told to. It is read at each use, so that it must be set before the first.
os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"

import requests  # noqa: E402
from authlib.integrations.requests_client import OAuth2Session  # noqa: E402
from authlib.oauth2.rfc8414 import AuthorizationServerMetadata, get_well_known_url  # noqa: E402

NAMES = ["PORTCULLIS_URL", "OPERATOR_ID", "OPERATOR_TOKEN", "GOOD_TOKEN", "REVOKED_TOKEN", "TO_REVOKE_TOKEN"]
LONGEST_ANSWER_SECONDS = 30
CLOCK_SECONDS = 2
TIMEOUT_SECONDS = 10
# Well formed or not, nobody has these; the last one would be a second parameter if somebody forgot to encode it.
UNKNOWN_TOKENS = ["ak_live_0000000000000000000000000000000000000000", "nonsense", "a b+c%2Bé", "x&token=y"]


def check(held: bool, what: str) -> None:
    """Ends the run where something does not hold. An `assert` would be gone under `python -O`."""
    if not held:
        sys.exit(f"FAILED: {what}")


def discovered(base: str) -> AuthorizationServerMetadata:
    """The metadata, looked over by authlib's own rules.

    Two of them are left out. Authlib takes an empty list of response types for a missing one, and wants a token endpoint of
    every server but one of implicit grants alone. Nobody gets a token by OAuth here, and so there is none.
    """
    with requests.Session() as session:
        session.trust_env = False
        response = session.get(get_well_known_url(base, external=True), timeout=TIMEOUT_SECONDS)
    check(response.status_code == 200, f"the metadata is answered with {response.status_code}")
    metadata = AuthorizationServerMetadata(response.json())
    for key in metadata.REGISTRY_KEYS:
        if key not in ("token_endpoint", "response_types_supported"):
            try:
                getattr(metadata, f"validate_{key}")()
            except ValueError as error:
                sys.exit(f"FAILED: the metadata: {error}")
    check(metadata["issuer"] == base, f"the issuer is {metadata['issuer']}, not {base}")
    check(metadata["introspection_endpoint"] == f"{base}/oauth2/introspect", "the introspection_endpoint is another")
    check(metadata["revocation_endpoint"] == f"{base}/oauth2/revoke", "the revocation_endpoint is another")
    for key in ("response_types_supported", "grant_types_supported"):
        check(metadata.get(key) == [], f"{key} is {metadata.get(key)!r}")
    for key in ("introspection_endpoint_auth_methods_supported", "revocation_endpoint_auth_methods_supported"):
        check("client_secret_basic" in metadata.get(key, []), f"{key} is {metadata.get(key)!r}")
    return metadata


def client(client_id: str, secret: str) -> OAuth2Session:
    session = OAuth2Session(
        client_id,
        secret,
        token_endpoint_auth_method="client_secret_basic",
        revocation_endpoint_auth_method="client_secret_basic",
        default_timeout=TIMEOUT_SECONDS,
    )
    # A proxy in the environment would get the tokens, and could not reach a server on this machine.
    session.trust_env = False
    return session


def introspected(session: OAuth2Session, metadata: AuthorizationServerMetadata, token: str, what: str) -> dict:
    """Authlib gives the answer back as it is, whatever its status."""
    response = session.introspect_token(metadata["introspection_endpoint"], token=token, token_type_hint="access_token")
    check(response.status_code == 200, f"{what}: the status is {response.status_code}")
    check(response.headers.get("Content-Type", "").split(";")[0] == "application/json", f"{what}: the answer is no JSON")
    check("no-store" in response.headers.get("Cache-Control", ""), f"{what}: the answer may be kept by caches")
    return response.json()


def refused(answer: dict, what: str) -> None:
    """Why a token is refused is nobody's business here."""
    check(answer == {"active": False}, f"{what}: wanted {{'active': False}}, got members {sorted(answer)}")


def accepted(answer: dict, issuer: str, what: str) -> None:
    check(answer.get("active") is True, f"{what}: the token is not active")
    for member in ("scope", "client_id", "username", "sub", "jti", "iss", "token_type"):
        check(isinstance(answer.get(member), str), f"{what}: {member} is no text")
    check(answer["token_type"] == "Bearer", f"{what}: the token_type is {answer['token_type']}")
    check(answer["client_id"].startswith("key_"), f"{what}: the client_id is {answer['client_id']}")
    check(answer["jti"] == answer["client_id"], f"{what}: the jti is {answer['jti']}")
    check(answer["sub"].startswith("usr_"), f"{what}: the sub is {answer['sub']}")
    check(bool(answer["username"]), f"{what}: the username is empty")
    check(answer["iss"] == issuer, f"{what}: the iss is {answer['iss']}, the issuer {issuer}")
    permissions = answer["scope"].split(" ") if answer["scope"] else []
    check(all(re.fullmatch(r"[a-z0-9_]+:(read|write)", one) for one in permissions), f"{what}: the scope is {answer['scope']!r}")
    now = time.time()
    check(type(answer.get("iat")) is int and answer["iat"] <= now + CLOCK_SECONDS, f"{what}: the iat is {answer.get('iat')}")
    # A client that keeps the answer keeps it until then: a revoked key must not live on for longer.
    earliest, latest = now - CLOCK_SECONDS, now + LONGEST_ANSWER_SECONDS + CLOCK_SECONDS
    check(type(answer.get("exp")) is int and earliest < answer["exp"] <= latest, f"{what}: the exp is {answer.get('exp')}")
    reach = answer.get("businesses")
    check(reach == "*" or (isinstance(reach, list) and all(one.startswith("biz_") for one in reach)), f"{what}: businesses {reach!r}")
    if "key_expires_at" in answer:
        datetime.datetime.fromisoformat(answer["key_expires_at"])


def encodes(session: OAuth2Session) -> bool:
    """Whether authlib percent-encodes both halves of Basic: the server must take both."""
    prepared = requests.Request("POST", "http://127.0.0.1/", auth=session.client_auth("client_secret_basic")).prepare()
    pair = base64.b64decode(prepared.headers["Authorization"].removeprefix("Basic ")).decode()
    return pair != f"{session.client_id}:{session.client_secret}"


def strangers(env: dict[str, str], metadata: AuthorizationServerMetadata) -> dict[str, int]:
    """Whoever may not ask must not learn that a token is no good: it is the caller who is refused."""
    statuses = {}
    last = "1" if env["OPERATOR_TOKEN"].endswith("0") else "0"
    for caller, user, secret in [
        ("wrong_token", env["OPERATOR_ID"], env["OPERATOR_TOKEN"][:-1] + last),
        ("api_key", env["OPERATOR_ID"], env["GOOD_TOKEN"]),
        ("empty", "", ""),
    ]:
        with client(user, secret) as session:
            response = session.introspect_token(metadata["introspection_endpoint"], token=env["GOOD_TOKEN"])
        statuses[caller] = response.status_code
        check(response.status_code == 401, f"asked as {caller}: the status is {response.status_code}, not 401")
        check(bool(response.headers.get("WWW-Authenticate")), f"asked as {caller}: there is no WWW-Authenticate")
    return statuses


def revoked(session: OAuth2Session, metadata: AuthorizationServerMetadata, token: str, what: str) -> None:
    response = session.revoke_token(metadata["revocation_endpoint"], token=token)
    check(response.status_code == 200, f"{what}: the status is {response.status_code}")
    check(response.content == b"", f"{what}: the answer has a body")


def main() -> None:
    missing = [name for name in NAMES if not os.environ.get(name)]
    check(not missing, f"{', '.join(missing)} must be set")
    env = {name: os.environ[name] for name in NAMES}
    metadata = discovered(env["PORTCULLIS_URL"].rstrip("/"))
    issuer = metadata["issuer"]
    with client(env["OPERATOR_ID"], env["OPERATOR_TOKEN"]) as session:
        accepted(introspected(session, metadata, env["GOOD_TOKEN"], "good"), issuer, "the good token")
        refused(introspected(session, metadata, env["REVOKED_TOKEN"], "revoked"), "the revoked token")
        for token in UNKNOWN_TOKENS:
            refused(introspected(session, metadata, token, "unknown"), f"the token {token!r}")
        # An operator's token opens the platform and no API: it is not for a gateway to accept.
        refused(introspected(session, metadata, env["OPERATOR_TOKEN"], "operator"), "the operator's own token")

        accepted(introspected(session, metadata, env["TO_REVOKE_TOKEN"], "to revoke"), issuer, "the token to revoke")
        revoked(session, metadata, env["TO_REVOKE_TOKEN"], "revoke")
        refused(introspected(session, metadata, env["TO_REVOKE_TOKEN"], "revoked now"), "the token after its revocation")
        # To revoke what is revoked, or what nobody has, is as good as done.
        revoked(session, metadata, env["TO_REVOKE_TOKEN"], "revoke again")
        revoked(session, metadata, UNKNOWN_TOKENS[0], "revoke what nobody has")
        accepted(introspected(session, metadata, env["GOOD_TOKEN"], "good"), issuer, "the good token, after another was revoked")

        seen = {"ok": True, "discovered": True, "good": "active", "revoked": "inactive", "unknown": "inactive"}
        seen |= {"revocation": "immediate", "caller_refused": strangers(env, metadata), "basic_is_percent_encoded": encodes(session)}
    print(json.dumps(seen))


if __name__ == "__main__":
    try:
        main()
    except (requests.RequestException, ValueError, KeyError) as error:
        sys.exit(f"FAILED: {type(error).__name__}: {error}")
