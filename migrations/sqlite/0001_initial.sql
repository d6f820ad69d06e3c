-- The store, version 1. The PostgreSQL file of the same number makes the same tables.
-- Times are milliseconds since the Unix epoch, UTC; JSON is text; truth is 0 or 1.

CREATE TABLE meta (
    key TEXT PRIMARY KEY NOT NULL,
    value TEXT NOT NULL
) STRICT;

-- The store's clock: every deadline is compared with it inside the statement that acts on it.
CREATE VIEW pdm_clock (now_ms) AS
    SELECT CAST(round(unixepoch('subsec') * 1000) AS INTEGER);

CREATE TABLE allocations (
    id TEXT PRIMARY KEY NOT NULL CHECK (id <> ''),
    fqdn TEXT NOT NULL CHECK (fqdn <> ''),
    pool TEXT NOT NULL CHECK (pool <> ''),
    look TEXT NOT NULL,
    mode TEXT NOT NULL CHECK (mode IN ('pool')),
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
    CHECK (phase <> 'quarantined' OR quarantined_until IS NOT NULL)
) STRICT;

CREATE UNIQUE INDEX allocations_live_name ON allocations (fqdn) WHERE phase <> 'freed';
CREATE INDEX allocations_name ON allocations (fqdn, reserved_at, id);
CREATE INDEX allocations_live_look ON allocations (pool, look) WHERE phase <> 'freed';
CREATE INDEX allocations_live_owner ON allocations (pool, owner) WHERE phase <> 'freed';
CREATE INDEX allocations_expiry ON allocations (expires_at) WHERE phase = 'reserved';
CREATE INDEX allocations_quarantine ON allocations (quarantined_until) WHERE phase = 'quarantined';

-- `seq` is the place in the store's order: no two committed operations ever share one.
CREATE TABLE operations (
    seq INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    id TEXT NOT NULL UNIQUE CHECK (id <> ''),
    allocation TEXT NOT NULL REFERENCES allocations (id),
    fqdn TEXT NOT NULL,
    pool TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('commit', 'change', 'repair', 'release')),
    generation INTEGER NOT NULL CHECK (generation >= 1),
    state TEXT NOT NULL CHECK (state IN ('open', 'done', 'superseded')),
    steps TEXT NOT NULL,
    waiting INTEGER NOT NULL DEFAULT 0 CHECK (waiting IN (0, 1)),
    lease_token TEXT,
    lease_until INTEGER,
    next_look_at INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    finished_at INTEGER,
    CHECK ((state = 'open') = (finished_at IS NULL)),
    CHECK ((lease_token IS NULL) = (lease_until IS NULL)),
    CHECK (state = 'open' OR lease_token IS NULL)
) STRICT;

CREATE UNIQUE INDEX operations_open ON operations (allocation) WHERE state = 'open';
CREATE INDEX operations_due ON operations (next_look_at) WHERE state = 'open';
CREATE INDEX operations_lease ON operations (lease_token) WHERE lease_token IS NOT NULL;
CREATE INDEX operations_release ON operations (pool, created_at) WHERE kind = 'release';

CREATE TABLE operation_events (
    seq INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    operation TEXT NOT NULL,
    at INTEGER NOT NULL,
    body TEXT NOT NULL
) STRICT;

CREATE INDEX operation_events_operation ON operation_events (operation, seq);

CREATE TABLE audit_log (
    seq INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    at INTEGER NOT NULL,
    actor TEXT NOT NULL CHECK (actor <> ''),
    action TEXT NOT NULL CHECK (action <> ''),
    fqdn TEXT,
    result TEXT NOT NULL CHECK (result <> ''),
    detail TEXT NOT NULL
) STRICT;

CREATE INDEX audit_log_fqdn ON audit_log (fqdn, seq);
CREATE INDEX audit_log_actor ON audit_log (actor, seq);

CREATE TRIGGER audit_log_no_update BEFORE UPDATE ON audit_log
BEGIN
    SELECT RAISE(ABORT, 'the audit log is insert-only');
END;

CREATE TRIGGER audit_log_no_delete BEFORE DELETE ON audit_log
BEGIN
    SELECT RAISE(ABORT, 'the audit log is insert-only');
END;

CREATE TABLE requests (
    key TEXT PRIMARY KEY NOT NULL,
    digest TEXT NOT NULL,
    begun_at INTEGER NOT NULL,
    status INTEGER,
    response TEXT,
    CHECK ((status IS NULL) = (response IS NULL))
) STRICT;

CREATE INDEX requests_begun ON requests (begun_at);

-- The empty pool stands for all of them.
CREATE TABLE freezes (
    pool TEXT PRIMARY KEY NOT NULL,
    actor TEXT NOT NULL,
    since INTEGER NOT NULL
) STRICT;

-- The last holder stays in the row; no `lease_until` means that it gave the lease back.
CREATE TABLE zone_leases (
    zone TEXT PRIMARY KEY NOT NULL,
    holder TEXT NOT NULL,
    lease_until INTEGER
) STRICT;

INSERT INTO sqlite_sequence (name, seq) VALUES ('operations', 0);
INSERT INTO meta (key, value) VALUES ('schema_version', '1'), ('min_compatible', '1');
