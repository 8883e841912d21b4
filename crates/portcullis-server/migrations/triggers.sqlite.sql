-- The rules that no statement of any program may break. They are the only SQL that is written for one engine.

CREATE TRIGGER IF NOT EXISTS api_keys_stay_revoked BEFORE UPDATE OF revoked_at ON api_keys
WHEN OLD.revoked_at IS NOT NULL AND NEW.revoked_at IS NOT OLD.revoked_at
BEGIN SELECT RAISE(ABORT, 'a revoked key stays revoked'); END;

CREATE TRIGGER IF NOT EXISTS api_keys_are_kept BEFORE DELETE ON api_keys
BEGIN SELECT RAISE(ABORT, 'a key is revoked, never deleted'); END;

CREATE TRIGGER IF NOT EXISTS operator_keys_stay_revoked BEFORE UPDATE OF revoked_at ON operator_keys
WHEN OLD.revoked_at IS NOT NULL AND NEW.revoked_at IS NOT OLD.revoked_at
BEGIN SELECT RAISE(ABORT, 'a revoked operator key stays revoked'); END;

CREATE TRIGGER IF NOT EXISTS audit_events_are_not_changed BEFORE UPDATE ON audit_events
BEGIN SELECT RAISE(ABORT, 'an audit event is never changed'); END;

CREATE TRIGGER IF NOT EXISTS audit_events_are_kept BEFORE DELETE ON audit_events
BEGIN SELECT RAISE(ABORT, 'an audit event is never deleted'); END;
