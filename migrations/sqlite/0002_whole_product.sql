-- The store, version 2. The PostgreSQL file of the same number makes the same tables.
-- Modes and kinds are words that the binary knows; the store only wants one. SQLite cannot take a CHECK off a table, so
-- both tables are built anew: children first out, and the place in the store's order goes along.
-- `byo` is the side of a domain that its owner brings, `keys` the key policy and the roll under way; JSON, or nothing.

CREATE TABLE allocations_2 (
    id TEXT PRIMARY KEY NOT NULL CHECK (id <> ''),
    fqdn TEXT NOT NULL CHECK (fqdn <> ''),
    pool TEXT NOT NULL CHECK (pool <> ''),
    look TEXT NOT NULL,
    mode TEXT NOT NULL CHECK (mode <> ''),
    owner TEXT NOT NULL CHECK (owner <> ''),
    phase TEXT NOT NULL CHECK (phase IN
        ('reserved', 'provisioning', 'delegating', 'active', 'releasing', 'quarantined', 'freed')),
    generation INTEGER NOT NULL CHECK (generation >= 1),
    target TEXT,
    committed TEXT,
    commit_operation TEXT,
    suspended TEXT,
    legacy INTEGER NOT NULL CHECK (legacy IN (0, 1)),
    created_by TEXT,
    request_key TEXT,
    reserved_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    quarantined_until INTEGER,
    conditions TEXT NOT NULL,
    observed TEXT NOT NULL,
    proof TEXT,
    updated_at INTEGER NOT NULL,
    byo TEXT,
    keys TEXT,
    CHECK (phase <> 'quarantined' OR quarantined_until IS NOT NULL)
) STRICT;

INSERT INTO allocations_2 (
    id, fqdn, pool, look, mode, owner, phase, generation, target, committed, commit_operation, suspended,
    legacy, created_by, request_key, reserved_at, expires_at, quarantined_until, conditions, observed, proof,
    updated_at)
SELECT
    id, fqdn, pool, look, mode, owner, phase, generation, target, committed, commit_operation, suspended,
    legacy, created_by, request_key, reserved_at, expires_at, quarantined_until, conditions, observed, proof,
    updated_at
FROM allocations;

CREATE TABLE operations_2 (
    seq INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    id TEXT NOT NULL UNIQUE CHECK (id <> ''),
    allocation TEXT NOT NULL REFERENCES allocations_2 (id),
    fqdn TEXT NOT NULL,
    pool TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind <> ''),
    generation INTEGER NOT NULL CHECK (generation >= 1),
    state TEXT NOT NULL CHECK (state IN ('open', 'done', 'superseded')),
    steps TEXT NOT NULL,
    waiting INTEGER NOT NULL DEFAULT 0 CHECK (waiting IN (0, 1)),
    waits_for TEXT NOT NULL DEFAULT 'nobody' CHECK (waits_for <> ''),
    lease_token TEXT,
    lease_until INTEGER,
    next_look_at INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    finished_at INTEGER,
    CHECK ((state = 'open') = (finished_at IS NULL)),
    CHECK ((lease_token IS NULL) = (lease_until IS NULL)),
    CHECK (state = 'open' OR lease_token IS NULL)
) STRICT;

INSERT INTO operations_2 (
    seq, id, allocation, fqdn, pool, kind, generation, state, steps, waiting, lease_token, lease_until,
    next_look_at, created_at, finished_at)
SELECT
    seq, id, allocation, fqdn, pool, kind, generation, state, steps, waiting, lease_token, lease_until,
    next_look_at, created_at, finished_at
FROM operations;

DELETE FROM sqlite_sequence WHERE name = 'operations_2';
INSERT INTO sqlite_sequence (name, seq) SELECT 'operations_2', seq FROM sqlite_sequence WHERE name = 'operations';

DROP TABLE operations;
DROP TABLE allocations;
ALTER TABLE allocations_2 RENAME TO allocations;
ALTER TABLE operations_2 RENAME TO operations;

CREATE UNIQUE INDEX allocations_live_name ON allocations (fqdn) WHERE phase <> 'freed';
CREATE INDEX allocations_name ON allocations (fqdn, reserved_at, id);
CREATE INDEX allocations_live_look ON allocations (pool, look) WHERE phase <> 'freed';
CREATE INDEX allocations_live_owner ON allocations (pool, owner) WHERE phase <> 'freed';
CREATE INDEX allocations_expiry ON allocations (expires_at) WHERE phase = 'reserved';
CREATE INDEX allocations_quarantine ON allocations (quarantined_until) WHERE phase = 'quarantined';

CREATE UNIQUE INDEX operations_open ON operations (allocation) WHERE state = 'open';
CREATE INDEX operations_due ON operations (next_look_at) WHERE state = 'open';
CREATE INDEX operations_lease ON operations (lease_token) WHERE lease_token IS NOT NULL;
CREATE INDEX operations_release ON operations (pool, created_at) WHERE kind = 'release';

-- Names that lie below one that an owner brings are found by reading these.
CREATE INDEX allocations_byo ON allocations (fqdn) WHERE mode <> 'pool' AND phase <> 'freed';
-- Counting pools reads the index alone.
CREATE INDEX allocations_counts ON allocations (pool, phase);

-- Claims on domains that their owners bring. Until one is proved it blocks nobody, so several may stand on one name.
CREATE TABLE claims (
    id TEXT PRIMARY KEY NOT NULL CHECK (id <> ''),
    fqdn TEXT NOT NULL CHECK (fqdn <> ''),
    registered TEXT NOT NULL CHECK (registered <> ''),
    mode TEXT NOT NULL CHECK (mode <> ''),
    owner TEXT NOT NULL CHECK (owner <> ''),
    created_by TEXT,
    request_key TEXT,
    reserved_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    disputed_at INTEGER
) STRICT;

CREATE UNIQUE INDEX claims_owner ON claims (fqdn, owner);
CREATE INDEX claims_expiry ON claims (expires_at);

-- Sealed credentials of registrars; nobody reads them without the key.
CREATE TABLE credentials (
    allocation TEXT PRIMARY KEY NOT NULL CHECK (allocation <> ''),
    registrar TEXT NOT NULL CHECK (registrar <> ''),
    sealed TEXT NOT NULL CHECK (sealed <> ''),
    sealed_at INTEGER NOT NULL
) STRICT;

-- Reports of audits, and what somebody knows about already.
CREATE TABLE audits (
    seq INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    id TEXT NOT NULL UNIQUE CHECK (id <> ''),
    fqdn TEXT NOT NULL CHECK (fqdn <> ''),
    at INTEGER NOT NULL,
    worst TEXT,
    verdict TEXT NOT NULL,
    undelegated INTEGER NOT NULL CHECK (undelegated IN (0, 1)),
    body TEXT NOT NULL,
    recording TEXT
) STRICT;

CREATE INDEX audits_fqdn ON audits (fqdn, seq);
CREATE INDEX audits_at ON audits (at);

CREATE TABLE acknowledgements (
    fqdn TEXT NOT NULL,
    finding TEXT NOT NULL,
    actor TEXT NOT NULL CHECK (actor <> ''),
    reason TEXT NOT NULL,
    until INTEGER NOT NULL,
    PRIMARY KEY (fqdn, finding)
) STRICT;

-- Names at which the last quick look saw something wrong.
CREATE TABLE wrong_names (
    fqdn TEXT PRIMARY KEY NOT NULL CHECK (fqdn <> ''),
    why TEXT NOT NULL,
    since INTEGER NOT NULL
) STRICT;

-- What rounds of quick looks saw.
CREATE TABLE measurements (
    seq INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    at INTEGER NOT NULL,
    looks INTEGER NOT NULL,
    silent INTEGER NOT NULL,
    wrong INTEGER NOT NULL,
    millis INTEGER NOT NULL
) STRICT;

CREATE INDEX measurements_at ON measurements (at);

-- The audit log as one chain: each place commits to the one before. Entries are sealed in batches after they were
-- written, in the order in which the sealer saw them, so that nothing that appends waits for another.
CREATE TABLE audit_chain (
    place INTEGER PRIMARY KEY NOT NULL,
    seq INTEGER NOT NULL UNIQUE REFERENCES audit_log (seq),
    digest TEXT NOT NULL,
    hash TEXT NOT NULL
) STRICT;

CREATE TABLE audit_checkpoints (
    place INTEGER PRIMARY KEY NOT NULL,
    at INTEGER NOT NULL,
    hash TEXT NOT NULL,
    key TEXT NOT NULL,
    signature TEXT NOT NULL
) STRICT;

CREATE TRIGGER audit_chain_no_update BEFORE UPDATE ON audit_chain
BEGIN
    SELECT RAISE(ABORT, 'the audit log is insert-only');
END;

CREATE TRIGGER audit_chain_no_delete BEFORE DELETE ON audit_chain
BEGIN
    SELECT RAISE(ABORT, 'the audit log is insert-only');
END;

CREATE TRIGGER audit_checkpoints_no_update BEFORE UPDATE ON audit_checkpoints
BEGIN
    SELECT RAISE(ABORT, 'the audit log is insert-only');
END;

CREATE TRIGGER audit_checkpoints_no_delete BEFORE DELETE ON audit_checkpoints
BEGIN
    SELECT RAISE(ABORT, 'the audit log is insert-only');
END;

-- What happened to allocations and was not told yet. Triggers write it, so that no way of changing an allocation can
-- forget to; once for everybody who is told, so that nobody waits for another.
-- The W3C trace of the job that is running; empty between jobs.
INSERT INTO meta (key, value) VALUES ('trace', '');
CREATE TABLE outbox_sinks (
    sink TEXT PRIMARY KEY NOT NULL CHECK (sink <> '')
) STRICT;

CREATE TABLE outbox (
    seq INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    sink TEXT NOT NULL,
    at INTEGER NOT NULL,
    allocation TEXT NOT NULL,
    fqdn TEXT NOT NULL,
    pool TEXT NOT NULL,
    mode TEXT NOT NULL,
    owner TEXT NOT NULL,
    phase TEXT NOT NULL,
    was TEXT,
    generation INTEGER NOT NULL,
    target TEXT,
    suspended TEXT,
    conditions TEXT NOT NULL,
    finding TEXT,
    trace TEXT,
    conditions_before TEXT
) STRICT;

CREATE INDEX outbox_sink ON outbox (sink, seq);

CREATE TRIGGER outbox_new AFTER INSERT ON allocations
WHEN EXISTS (SELECT 1 FROM outbox_sinks)
BEGIN
    INSERT INTO outbox (sink, at, allocation, fqdn, pool, mode, owner, phase, was, generation, target, suspended, conditions,
        conditions_before, trace)
    SELECT sink, NEW.updated_at, NEW.id, NEW.fqdn, NEW.pool, NEW.mode, NEW.owner, NEW.phase, NULL, NEW.generation, NEW.target,
        NEW.suspended, NEW.conditions, NULL, (SELECT nullif(value, '') FROM meta WHERE key = 'trace')
    FROM outbox_sinks;
END;

CREATE TRIGGER outbox_changed AFTER UPDATE ON allocations
WHEN EXISTS (SELECT 1 FROM outbox_sinks)
    AND (NEW.phase, NEW.owner, NEW.generation, NEW.suspended, NEW.conditions)
        IS NOT (OLD.phase, OLD.owner, OLD.generation, OLD.suspended, OLD.conditions)
BEGIN
    INSERT INTO outbox (sink, at, allocation, fqdn, pool, mode, owner, phase, was, generation, target, suspended, conditions,
        conditions_before, trace)
    SELECT sink, NEW.updated_at, NEW.id, NEW.fqdn, NEW.pool, NEW.mode, NEW.owner, NEW.phase, OLD.phase, NEW.generation, NEW.target,
        NEW.suspended, NEW.conditions, OLD.conditions, (SELECT nullif(value, '') FROM meta WHERE key = 'trace')
    FROM outbox_sinks;
END;

-- The records of a domain's old zone, with what people decided about them (JSON).
CREATE TABLE carried_records (
    allocation TEXT PRIMARY KEY NOT NULL CHECK (allocation <> ''),
    zone TEXT NOT NULL CHECK (zone <> ''),
    version INTEGER NOT NULL
) STRICT;

-- The keys of pools' own zones, what people want of them, and their DS at the parent (JSON).
CREATE TABLE pool_keys (
    pool TEXT PRIMARY KEY NOT NULL CHECK (pool <> ''),
    keys TEXT NOT NULL CHECK (keys <> ''),
    version INTEGER NOT NULL
) STRICT;

UPDATE meta SET value = '2' WHERE key IN ('schema_version', 'min_compatible');
