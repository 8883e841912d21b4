-- What operators set as limits, what is spent of quotas, and what keys were used for.

CREATE TABLE limits (
    -- The id of a family of keys, of a user or of a business.
    subject TEXT NOT NULL PRIMARY KEY,
    -- NULL, both of them: the server's own. Only families have these.
    per_minute BIGINT,
    per_second BIGINT,
    -- [{"name", "limit", "window_seconds"}]
    named TEXT NOT NULL,
    quota_per_day BIGINT,
    quota_per_month BIGINT
);

CREATE TABLE quotas_spent (
    subject TEXT NOT NULL,
    period TEXT NOT NULL CHECK (period IN ('day', 'month')),
    -- Days since 1970, or months since the year 0.
    number BIGINT NOT NULL,
    -- With the parts that nodes have taken and not used yet.
    spent BIGINT NOT NULL,
    PRIMARY KEY (subject, period)
);

-- How often each code was decided in an hour about a key, a user or a business.
CREATE TABLE uses_by_hour (
    subject TEXT NOT NULL,
    -- Hours since 1970.
    hour BIGINT NOT NULL,
    -- Who counted: it writes its own count again and again, which only grows. So what is written twice counts once.
    source BIGINT NOT NULL,
    valid BIGINT NOT NULL,
    invalid_api_key BIGINT NOT NULL,
    user_disabled BIGINT NOT NULL,
    permission_denied BIGINT NOT NULL,
    rate_limited BIGINT NOT NULL,
    business_disabled BIGINT NOT NULL,
    PRIMARY KEY (subject, hour, source)
);

CREATE INDEX uses_by_hour_by_time ON uses_by_hour (hour);

-- The same by day, of all who counted: it grows in the same transaction, by as much as the hours grow.
CREATE TABLE uses_by_day (
    subject TEXT NOT NULL,
    -- Days since 1970.
    day BIGINT NOT NULL,
    valid BIGINT NOT NULL,
    invalid_api_key BIGINT NOT NULL,
    user_disabled BIGINT NOT NULL,
    permission_denied BIGINT NOT NULL,
    rate_limited BIGINT NOT NULL,
    business_disabled BIGINT NOT NULL,
    PRIMARY KEY (subject, day)
);

CREATE INDEX uses_by_day_by_time ON uses_by_day (day);

-- When a key was last used, and from where: apart from the key's own row, which is read far more often than this is written.
CREATE TABLE last_uses (
    key_id TEXT NOT NULL PRIMARY KEY,
    at BIGINT NOT NULL,
    address TEXT
);

INSERT INTO last_uses (key_id, at) SELECT id, last_used_at FROM api_keys WHERE last_used_at IS NOT NULL;
ALTER TABLE api_keys DROP COLUMN last_used_at;
CREATE INDEX api_keys_by_family ON api_keys (family_id);
