-- The rules that no statement of any program may break, as PostgreSQL has them; and the order of letters, which is that of their
-- bytes, as everywhere else here: ids sort by the time at which they were made. All of it may be run again.

DO $$
DECLARE wanted record;
BEGIN
    FOR wanted IN
        SELECT a.attrelid::regclass AS in_table, a.attname AS name FROM pg_attribute a
            JOIN pg_class t ON t.oid = a.attrelid JOIN pg_collation c ON c.oid = a.attcollation
        WHERE t.relnamespace = current_schema()::regnamespace AND t.relkind = 'r' AND t.relname <> '_sqlx_migrations'
            AND a.attnum > 0 AND NOT a.attisdropped AND a.atttypid = 'text'::regtype AND c.collname <> 'C'
    LOOP
        EXECUTE format('ALTER TABLE %s ALTER COLUMN %I TYPE TEXT COLLATE "C"', wanted.in_table, wanted.name);
    END LOOP;
END $$;

CREATE OR REPLACE FUNCTION portcullis_stays_revoked() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.revoked_at IS NOT NULL AND NEW.revoked_at IS DISTINCT FROM OLD.revoked_at THEN
        RAISE EXCEPTION 'a revoked key stays revoked';
    END IF;
    RETURN NEW;
END $$;

CREATE OR REPLACE FUNCTION portcullis_is_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '%', TG_ARGV[0];
END $$;

DO $$
DECLARE wanted record;
BEGIN
    FOR wanted IN
        SELECT * FROM (VALUES
            ('api_keys_stay_revoked', 'BEFORE UPDATE ON api_keys FOR EACH ROW', 'portcullis_stays_revoked()'),
            ('api_keys_are_kept', 'BEFORE DELETE OR TRUNCATE ON api_keys FOR EACH STATEMENT',
                'portcullis_is_kept(''a key is revoked, never deleted'')'),
            ('operator_keys_stay_revoked', 'BEFORE UPDATE ON operator_keys FOR EACH ROW', 'portcullis_stays_revoked()'),
            ('audit_events_are_not_changed', 'BEFORE UPDATE ON audit_events FOR EACH STATEMENT',
                'portcullis_is_kept(''an audit event is never changed'')'),
            ('audit_events_are_kept', 'BEFORE DELETE OR TRUNCATE ON audit_events FOR EACH STATEMENT',
                'portcullis_is_kept(''an audit event is never deleted'')')
        ) AS triggers (name, place, does)
    LOOP
        -- To make a trigger is to lock its table; so it is made only where it is missing.
        IF NOT EXISTS (SELECT FROM pg_trigger g JOIN pg_class t ON t.oid = g.tgrelid
            WHERE g.tgname = wanted.name AND t.relnamespace = current_schema()::regnamespace) THEN
            EXECUTE format('CREATE TRIGGER %I %s EXECUTE FUNCTION %s', wanted.name, wanted.place, wanted.does);
        END IF;
    END LOOP;
END $$;
