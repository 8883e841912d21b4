-- What concerns one user, for their own audit log.

CREATE INDEX audit_events_by_user ON audit_events (user_id, number);
