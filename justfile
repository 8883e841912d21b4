# What contributors and CI run. `./test` installs the tools and then runs `just check`.

set shell := ["bash", "-euo", "pipefail", "-c"]

# Tools that `./test` has installed come first, so that everyone runs the same versions.
export PATH := justfile_directory() / "target/tools/bin:" + env("PATH")

[private]
default:
    @just --list --unsorted

# Everything CI runs; the tests come last, so that their result is the last thing printed
check: fmt-check clippy deny doc instructions test-all

# Format all sources
fmt:
    cargo fmt --all

# Check the formatting
fmt-check:
    cargo fmt --all --check

# Lint every target; a warning is an error
clippy:
    cargo clippy --locked --workspace --all-targets -- -D warnings

# Check licences, banned crates and sources of all dependencies (deny.toml)
deny:
    @command -v cargo-deny >/dev/null || { echo "error: cargo-deny is missing; ./test installs it" >&2; exit 1; }
    cargo deny --locked check --hide-inclusion-graph bans licenses sources

# Check the dependencies for published advisories; needs GitHub, and so is not part of `check`
advisories:
    cargo deny --locked check advisories

# Build the documentation of all items, private ones too; a broken link is an error
doc:
    RUSTDOCFLAGS="-D warnings" cargo doc --locked --workspace --no-deps --document-private-items

# Count what a decision and whole requests cost, in instructions, and compare with bench/instructions.json; `--keep` writes it anew
instructions *arguments:
    @command -v valgrind >/dev/null || { echo "error: valgrind is missing; ./test installs it" >&2; exit 1; }
    cargo run --locked --quiet --release -p portcullis-bench -- instructions {{ arguments }}

# Run all tests, or those that cargo's own arguments select: `just test -p portcullis-core window`
test *arguments:
    cargo test --locked --workspace {{ arguments }}

# Run all tests, those on both engines on both; the one that keeps both cores busy by itself, so that no browser waits for it
test-all: && test-postgres
    cargo test --locked --workspace -- --skip whatever_happens
    cargo test --locked -p portcullis --test main whatever_happens

# Run the tests of the API on PostgreSQL; what is not about the database ran before
test-postgres *arguments:
    PORTCULLIS_TEST_ENGINE=postgres cargo test --locked -p portcullis-server --test main {{ arguments }} -- \
        --skip cluster --skip tidy --skip vendored --skip openapi --skip attack_07_to_15 --skip gateway::proxy

# Kill a server under load so many times, and count what it kept
soak rounds="1000":
    SOAK_ROUNDS={{ rounds }} cargo test --locked -p portcullis --test main attack_61

# Revoke so many keys on three nodes while everything goes wrong that can; PORTCULLIS_FAULT_SEED repeats a run's faults
soak-cluster revokes="10000":
    SOAK_REVOKES={{ revokes }} cargo test --locked -p portcullis --test main whatever_happens -- --nocapture

# Take the pictures of docs/screenshots anew; look at them before you commit them
screenshots:
    cargo test --locked -p portcullis --test main screenshots -- --ignored

# Write openapi.json anew, after a change of the API
openapi:
    cargo run --locked --quiet -p portcullis -- openapi > target/openapi.json
    mv target/openapi.json openapi.json

# Start a server with an example business and a key in it
run *arguments:
    cargo run --locked -p portcullis -- quickstart {{ arguments }}

# Measure, everything or these parts: `just bench speed latency --quick` (bench/README.md)
bench *arguments:
    bench/run {{ arguments }}
