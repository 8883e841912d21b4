-- What concerns one user, for their own audit log.

CREATE INDEX audit_events_by_user ON audit_events (user_id, number);

-- A form of the dashboard that makes something else than a key is sent once too.
ALTER TABLE idempotent_calls RENAME COLUMN api_key_id TO made_id;
