-- One folder for both engines: only column words that both understand. Instants are UTC milliseconds, lists and objects are
-- JSON text, ids are text that sorts by the time it was made.

CREATE TABLE users (
    id TEXT NOT NULL PRIMARY KEY,
    email TEXT NOT NULL,
    -- The e-mail address in lower case: no two users differ by letter case alone.
    email_folded TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    password_hash TEXT,
    platform_admin BOOLEAN NOT NULL,
    created_at BIGINT NOT NULL,
    disabled_at BIGINT
);

CREATE TABLE businesses (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    disabled_at BIGINT
);

CREATE TABLE roles (
    id TEXT NOT NULL PRIMARY KEY,
    -- NULL: a built-in role, which every business has.
    business_id TEXT REFERENCES businesses (id),
    name TEXT NOT NULL,
    -- What a built-in role allows follows the catalogue, and is not written here.
    permissions TEXT NOT NULL,
    manages TEXT NOT NULL
);

INSERT INTO roles (id, business_id, name, permissions, manages) VALUES
    ('rol_00000000000000000000000001', NULL, 'owner', '[]', '[]'),
    ('rol_00000000000000000000000002', NULL, 'admin', '[]', '[]'),
    ('rol_00000000000000000000000003', NULL, 'member', '[]', '[]'),
    ('rol_00000000000000000000000004', NULL, 'viewer', '[]', '[]');

CREATE TABLE memberships (
    user_id TEXT NOT NULL REFERENCES users (id),
    business_id TEXT NOT NULL REFERENCES businesses (id),
    role_id TEXT NOT NULL REFERENCES roles (id),
    created_at BIGINT NOT NULL,
    PRIMARY KEY (user_id, business_id)
);

CREATE INDEX memberships_by_business ON memberships (business_id, user_id);

CREATE TABLE api_keys (
    id TEXT NOT NULL PRIMARY KEY,
    -- What a key and those it was rotated to and from have in common.
    family_id TEXT NOT NULL,
    user_id TEXT NOT NULL REFERENCES users (id),
    name TEXT NOT NULL,
    environment TEXT NOT NULL CHECK (environment IN ('live', 'test')),
    prefix TEXT NOT NULL,
    hint TEXT NOT NULL,
    digest BYTEA NOT NULL UNIQUE,
    pepper_version BIGINT NOT NULL,
    -- FALSE: the businesses of api_key_businesses, and none where it has none.
    unrestricted BOOLEAN NOT NULL,
    -- NULL: whatever the owner may do.
    permissions TEXT,
    user_management BOOLEAN NOT NULL,
    allowed_ips TEXT NOT NULL,
    metadata TEXT,
    created_at BIGINT NOT NULL,
    expires_at BIGINT,
    revoked_at BIGINT,
    revoked_reason TEXT,
    rotated_to TEXT,
    rotated_from TEXT
);

CREATE INDEX api_keys_by_user ON api_keys (user_id, id);

CREATE TABLE api_key_businesses (
    key_id TEXT NOT NULL REFERENCES api_keys (id),
    business_id TEXT NOT NULL REFERENCES businesses (id),
    PRIMARY KEY (key_id, business_id)
);

CREATE INDEX api_key_businesses_by_business ON api_key_businesses (business_id, key_id);

CREATE TABLE operator_keys (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    hint TEXT NOT NULL,
    digest BYTEA NOT NULL UNIQUE,
    pepper_version BIGINT NOT NULL,
    grants TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    revoked_at BIGINT
);

-- A chain: the hash of each event covers the hash of the one before it, so that no row can be changed, taken out or moved.
CREATE TABLE audit_events (
    number BIGINT NOT NULL PRIMARY KEY,
    hash BYTEA NOT NULL,
    id TEXT NOT NULL UNIQUE,
    at BIGINT NOT NULL,
    action TEXT NOT NULL,
    actor_kind TEXT NOT NULL,
    actor_id TEXT,
    target_id TEXT NOT NULL,
    user_id TEXT,
    business_id TEXT,
    address TEXT,
    request_id TEXT,
    before_json TEXT,
    after_json TEXT
);

-- The number of the last committed edit. Every edit updates this one row last, and so commits in the order of its number.
CREATE TABLE change_head (
    only_row BIGINT NOT NULL PRIMARY KEY CHECK (only_row = 1),
    seq BIGINT NOT NULL
);

INSERT INTO change_head (only_row, seq) VALUES (1, 0);

CREATE TABLE changes (
    seq BIGINT NOT NULL,
    -- The place within an edit of several changes.
    n BIGINT NOT NULL,
    at BIGINT NOT NULL,
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    payload TEXT NOT NULL,
    PRIMARY KEY (seq, n)
);

CREATE INDEX changes_by_time ON changes (at);

-- Facts about the store itself, e.g. the value that tells whether the pepper at hand is the right one.
CREATE TABLE facts (
    name TEXT NOT NULL PRIMARY KEY,
    fact TEXT NOT NULL
);
