"""Takes an API key through its whole life with the client that openapi-python-client generates from openapi.json.

Schemathesis asks whether the server answers as the document says. This asks whether the document is good enough to program
against: whether a client made from it alone, with its own types, can do what an integration does.

    OPERATOR_TOKEN=op_live_… USER_ID=usr_… python client.py http://127.0.0.1:8080 DIRECTORY

DIRECTORY holds the generated package, `portcullis_client`.
"""

import datetime
import os
import secrets
import sys
from http import HTTPStatus
from pathlib import Path
from typing import TypeVar

if len(sys.argv) != 3:
    sys.exit("usage: client.py BASE_URL DIRECTORY")
BASE_URL, DIRECTORY = sys.argv[1:]
if not (Path(DIRECTORY) / "portcullis_client" / "__init__.py").is_file():
    sys.exit(f"no generated package portcullis_client in {DIRECTORY}")
# The generated code is not installed, and the package in the directory must win over any that is.
sys.path.insert(0, DIRECTORY)

import httpx  # noqa: E402
from portcullis_client import AuthenticatedClient  # noqa: E402
from portcullis_client.api.api_keys import (  # noqa: E402
    create_api_key_of_user,
    list_api_keys_of_user,
    revoke_api_key_of_user,
    rotate_api_key_of_user,
    show_api_key_of_user,
)

# The operation is called as its tag and, but for one letter, as its model, so that it gets a name of its own here.
from portcullis_client.api.verify import verify as verify_operation  # noqa: E402
from portcullis_client.models import (  # noqa: E402
    ApiKey,
    ApiKeyAnswer,
    ApiKeyPage,
    CreateApiKey,
    Decision,
    DecisionAnswer,
    DecisionCode,
    Environment,
    IssuedApiKeyAnswer,
    Problem,
    RevokeApiKey,
    RotateApiKey,
    RotatedApiKeyAnswer,
    Status,
    Verify,
)
from portcullis_client.types import UNSET, Response, Unset  # noqa: E402

T = TypeVar("T")


def check(held: bool, what: str) -> None:
    """Ends the run where something does not hold. An `assert` would be gone under `python -O`."""
    if not held:
        sys.exit(f"FAILED: {what}")


def parsed(answer: object, wanted: type[T], step: str) -> T:
    """The answer as the model that the document promises. What a problem says of itself is told, since it has no secret in it;
    a success is not printed, since it can have a token in it."""
    if isinstance(answer, Problem):
        sys.exit(f"FAILED: {step}: {answer.status} {answer.code}: {answer.detail}")
    if not isinstance(answer, wanted):
        sys.exit(f"FAILED: {step}: wanted {wanted.__name__}, got {type(answer).__name__}")
    # An answer with a member that the model does not know means that the document has forgotten to name it.
    check(not getattr(answer, "additional_properties", {}), f"{step}: {wanted.__name__} has members that are not documented")
    return answer


def made(response: Response, status: HTTPStatus, wanted: type[T], step: str) -> T:
    """As `parsed`, of an answer whose status counts too."""
    answer = parsed(response.parsed, wanted, step)
    check(response.status_code == status, f"{step}: the status is {response.status_code}, not {status}")
    check(bool(response.headers.get("X-Request-Id")), f"{step}: the answer has no X-Request-Id")
    return answer


def secret(token: str | None | Unset, step: str) -> str:
    """The token, which is `null` or missing in an answer to a repeated call only."""
    if not isinstance(token, str) or not token:
        sys.exit(f"FAILED: {step}: there is no token in the answer")
    return token


def known(key: ApiKey, step: str) -> ApiKey:
    check(not key.additional_properties, f"{step}: the key has members that are not documented: {key.additional_keys}")
    return key


def listed(client: AuthenticatedClient, user_id: str, status: Status | Unset, step: str) -> dict[str, ApiKey]:
    """All keys of the user by their id. The pages are small, so that the cursor is used as soon as there are a few keys."""
    keys: dict[str, ApiKey] = {}
    cursor: str | Unset = UNSET
    while True:
        answer = list_api_keys_of_user.sync(user_id, client=client, limit=2, cursor=cursor, status=status)
        page = parsed(answer, ApiKeyPage, step)
        for key in page.data:
            check(key.id not in keys, f"{step}: {key.id} is on two pages")
            keys[key.id] = known(key, step)
        if page.next_cursor is None:
            return keys
        check(page.next_cursor != cursor, f"{step}: the cursor does not move on")
        cursor = page.next_cursor


def decided(client: AuthenticatedClient, token: str, step: str) -> Decision:
    answer = made(verify_operation.sync_detailed(client=client, body=Verify(token=token)), HTTPStatus.OK, DecisionAnswer, step)
    check(not answer.data.additional_properties, f"{step}: the decision has members that are not documented")
    return answer.data


def refused(decision: Decision, key: ApiKey, reason: str, step: str) -> None:
    """One code stands for every token that does not live, so that it takes the reason and the id to tell that the server knew
    this key and found it dead, and did not merely fail to read the token."""
    check(decision.valid is False, f"{step}: valid is {decision.valid}")
    check(decision.code is DecisionCode.INVALID_API_KEY, f"{step}: the code is {decision.code}")
    check(decision.reason == reason, f"{step}: the reason is {decision.reason!r}, not {reason!r}")
    check(decision.key_id == key.id, f"{step}: the decision is about {decision.key_id}")


def run(client: AuthenticatedClient, user_id: str) -> None:
    # The name is a new one in every run, so that a run on a server that has keys of an earlier one cannot find those.
    name = f"Generated client {secrets.token_hex(4)}"
    reason = "The contract test is over"
    # Whole seconds, since the server keeps milliseconds and a datetime has microseconds: the two must compare equal.
    expires_at = datetime.datetime.now(datetime.UTC).replace(microsecond=0) + datetime.timedelta(days=30)

    step = "create"
    issued = made(
        create_api_key_of_user.sync_detailed(
            user_id,
            client=client,
            body=CreateApiKey(name=name, environment=Environment.TEST, expires_at=expires_at),
        ),
        HTTPStatus.CREATED,
        IssuedApiKeyAnswer,
        step,
    ).data
    first, first_token = known(issued.api_key, step), secret(issued.token, step)
    check(first.name == name, f"{step}: the name is {first.name!r}")
    check(first.user_id == user_id, f"{step}: the key is of {first.user_id}")
    check(first.status is Status.ACTIVE, f"{step}: the status is {first.status}")
    check(first.environment is Environment.TEST, f"{step}: the environment is {first.environment}")
    check(first.expires_at == expires_at, f"{step}: the key ends at {first.expires_at}, not at {expires_at}")
    check(first_token.startswith(first.prefix), f"{step}: the token does not begin with {first.prefix!r}")
    # Without this, a server that refuses every token would pass the refusals below.
    decision = decided(client, first_token, step)
    check(decision.valid is True and decision.code is DecisionCode.VALID, f"{step}: the new token is refused: {decision.code}")
    check(decision.key_id == first.id, f"{step}: the decision is about {decision.key_id}")
    print(f"create: {first.id} is active and its token is valid")

    step = "list"
    keys = listed(client, user_id, UNSET, step)
    check(first.id in keys, f"{step}: {first.id} is not in the list")
    check(keys[first.id].name == name, f"{step}: the name is {keys[first.id].name!r}")
    print(f"list: {first.id} is one of {len(keys)}")

    step = "rotate"
    rotated = made(
        rotate_api_key_of_user.sync_detailed(user_id, first.id, client=client, body=RotateApiKey(overlap_seconds=0)),
        HTTPStatus.CREATED,
        RotatedApiKeyAnswer,
        step,
    ).data
    second, previous = known(rotated.api_key, step), known(rotated.previous, step)
    second_token = secret(rotated.token, step)
    check(previous.id == first.id, f"{step}: the previous key is {previous.id}")
    check(second.id != first.id, f"{step}: the new key has the id of the old one")
    check(previous.rotated_to == second.id, f"{step}: the old key was rotated to {previous.rotated_to}")
    check(second.rotated_from == first.id, f"{step}: the new key was rotated from {second.rotated_from}")
    check(second.family_id == first.family_id, f"{step}: the two keys are not of one family")
    check(second.name == name and second.status is Status.ACTIVE, f"{step}: the new key is {second.name!r}, {second.status}")
    check(second_token != first_token, f"{step}: the token is the old one")
    # Without an overlap the old key is over with the rotation, by its date: nobody has revoked it.
    check(previous.status is Status.EXPIRED, f"{step}: the old key is {previous.status}")
    shown = parsed(show_api_key_of_user.sync(user_id, first.id, client=client), ApiKeyAnswer, step).data
    check(shown.status is Status.EXPIRED, f"{step}: the old key is shown as {shown.status}")
    check(shown.rotated_to == second.id, f"{step}: the old key is shown as rotated to {shown.rotated_to}")
    refused(decided(client, first_token, step), first, "expired", f"{step}: the old token")
    decision = decided(client, second_token, step)
    check(decision.valid is True and decision.key_id == second.id, f"{step}: the new token is refused: {decision.code}")
    print(f"rotate: {first.id} is expired, {second.id} is active with a token of its own")

    step = "revoke"
    revoked = made(
        revoke_api_key_of_user.sync_detailed(user_id, second.id, client=client, body=RevokeApiKey(reason=reason)),
        HTTPStatus.OK,
        ApiKeyAnswer,
        step,
    ).data
    check(known(revoked, step).id == second.id, f"{step}: the revoked key is {revoked.id}")
    check(revoked.status is Status.REVOKED, f"{step}: the status is {revoked.status}")
    check(revoked.revoked_reason == reason, f"{step}: the reason is {revoked.revoked_reason!r}")
    check(isinstance(revoked.revoked_at, datetime.datetime), f"{step}: revoked_at is {revoked.revoked_at!r}")
    print(f"revoke: {second.id} is revoked, and says why")

    step = "list revoked"
    keys = listed(client, user_id, Status.REVOKED, step)
    check(second.id in keys, f"{step}: {second.id} is not in the list")
    check(keys[second.id].revoked_reason == reason, f"{step}: the reason is {keys[second.id].revoked_reason!r}")
    # A server that ignored the filter would list the key too, among all the others.
    check(all(key.status is Status.REVOKED for key in keys.values()), f"{step}: some of these are not revoked")
    check(first.id not in keys, f"{step}: the expired key is in the list")
    print(f"list revoked: {second.id} is one of {len(keys)}")

    step = "verify"
    refused(decided(client, second_token, step), second, "revoked", step)
    print("verify: the revoked token is refused with INVALID_API_KEY")


def main() -> None:
    operator_token, user_id = os.environ.get("OPERATOR_TOKEN"), os.environ.get("USER_ID")
    if not operator_token or not user_id:
        sys.exit("OPERATOR_TOKEN and USER_ID must be set")
    # A status that is not in the document is raised, where the client would otherwise answer with None; and a server that hangs
    # must fail the test and not stop it for good, which is what the client does where no timeout is given.
    with AuthenticatedClient(
        base_url=BASE_URL,
        token=operator_token,
        raise_on_unexpected_status=True,
        timeout=httpx.Timeout(10.0),
        # A proxy in the environment would get the tokens, and could not reach a server on this machine.
        httpx_args={"trust_env": False},
    ) as client:
        run(client, user_id)


if __name__ == "__main__":
    main()
