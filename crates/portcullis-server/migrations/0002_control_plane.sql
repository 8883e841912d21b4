-- Custom roles, sessions, one-time links, idempotent calls, policies, imported keys, and lists whose pages cost the same
-- however long they are.

ALTER TABLE roles ADD COLUMN name_folded TEXT NOT NULL DEFAULT '';
UPDATE roles SET name_folded = lower(name);
CREATE UNIQUE INDEX roles_by_name ON roles (business_id, name_folded);
CREATE INDEX memberships_by_role ON memberships (role_id, business_id);

-- The name in lower case, for the search in a list.
ALTER TABLE api_keys ADD COLUMN name_folded TEXT NOT NULL DEFAULT '';
UPDATE api_keys SET name_folded = lower(name);
-- TRUE: issued elsewhere, and known here by its SHA-256 alone. Its token need not have our form.
ALTER TABLE api_keys ADD COLUMN imported BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE api_keys ADD COLUMN last_used_at BIGINT;
-- A list of active keys does not walk over the revoked ones, nor the other way round.
CREATE INDEX api_keys_kept_by_user ON api_keys (user_id, id) WHERE revoked_at IS NULL;
CREATE INDEX api_keys_revoked_by_user ON api_keys (user_id, id) WHERE revoked_at IS NOT NULL;
CREATE INDEX api_keys_unrestricted_by_user ON api_keys (user_id, id) WHERE unrestricted;

CREATE INDEX audit_events_by_business ON audit_events (business_id, number);
CREATE INDEX audit_events_by_actor ON audit_events (actor_id, number);
CREATE INDEX audit_events_by_target ON audit_events (target_id, number);
CREATE INDEX audit_events_by_action ON audit_events (action, number);

CREATE TABLE sessions (
    id TEXT NOT NULL PRIMARY KEY,
    user_id TEXT NOT NULL REFERENCES users (id),
    digest BYTEA NOT NULL UNIQUE,
    created_at BIGINT NOT NULL,
    -- Written at most once a minute.
    last_seen_at BIGINT NOT NULL,
    -- The end that no use puts off.
    expires_at BIGINT NOT NULL,
    ended_at BIGINT,
    address TEXT,
    user_agent TEXT
);

CREATE INDEX sessions_by_user ON sessions (user_id, id) WHERE ended_at IS NULL;

-- What a link leads to that can be followed once: a membership for whoever has the address, or a new password.
CREATE TABLE links (
    id TEXT NOT NULL PRIMARY KEY,
    kind TEXT NOT NULL CHECK (kind IN ('invitation', 'password')),
    digest BYTEA NOT NULL UNIQUE,
    email TEXT NOT NULL,
    user_id TEXT REFERENCES users (id),
    business_id TEXT REFERENCES businesses (id),
    -- The role may be gone when the link, long used, is still remembered.
    role_id TEXT,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    used_at BIGINT
);

CREATE INDEX links_by_business ON links (business_id, id) WHERE used_at IS NULL;

-- What a call under an Idempotency-Key did, for as long as the same call is answered with it.
CREATE TABLE idempotent_calls (
    credential TEXT NOT NULL,
    idempotency_key TEXT NOT NULL,
    fingerprint BYTEA NOT NULL,
    api_key_id TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (credential, idempotency_key)
);

CREATE INDEX idempotent_calls_by_time ON idempotent_calls (created_at);

-- What keys must keep to: those of the platform, and those that reach a business.
CREATE TABLE policies (
    -- `platform`, or the id of a business.
    subject TEXT NOT NULL PRIMARY KEY,
    longest_life_days BIGINT,
    expiry_required BOOLEAN NOT NULL,
    revoke_unused_days BIGINT
);
