"""What the peers in Python share: how keys are made, and which of them the load asks with."""

import secrets

ASKED = 20_000


def made(count):
    """New tokens, as long as those of Portcullis."""
    return ["ak_" + secrets.token_urlsafe(32) for _ in range(count)]


def write_headers(directory, values):
    """Writes the headers to ask with, taken evenly from all of them."""
    asked = min(ASKED, len(values))
    with open(f"{directory}/tokens", "w") as file:
        file.writelines(values[n * len(values) // asked] + "\n" for n in range(asked))
