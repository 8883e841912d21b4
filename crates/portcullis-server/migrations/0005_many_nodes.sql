-- Several nodes on one database: who of them may answer from memory, and what tells one life of the database from another.

CREATE TABLE leases (
    -- Random, for each start of a process.
    node TEXT NOT NULL PRIMARY KEY,
    -- Grows with each grant. Whose number stands still has stopped.
    renewals BIGINT NOT NULL,
    -- The number of the last change that is in the node's memory.
    applied BIGINT NOT NULL,
    -- How long after a grant the node may answer, by its own clock; what others wait is a little more.
    lasts_ms BIGINT NOT NULL,
    version TEXT NOT NULL,
    address TEXT NOT NULL,
    joined_at BIGINT NOT NULL
);

-- Another one after a restore: whoever remembers the one before must read everything anew.
ALTER TABLE change_head ADD COLUMN incarnation TEXT NOT NULL DEFAULT '';
-- The start and the time line of the database server under which all leases are known to be in the table.
ALTER TABLE change_head ADD COLUMN era TEXT NOT NULL DEFAULT '';

-- The oldest schema whose programs still understand this database. A migration that they would not survive raises it.
INSERT INTO facts (name, fact) VALUES ('runs_with_schema', '4');
