-- The store, version 1. The SQLite file of the same number makes the same tables.
-- Names sort by bytes, as they do in SQLite.
-- Times are milliseconds since the Unix epoch, UTC; JSON is text; truth is 0 or 1.

CREATE TABLE meta (
    key TEXT COLLATE "C" PRIMARY KEY,
    value TEXT NOT NULL
);

-- The store's clock: every deadline is compared with it inside the statement that acts on it.
CREATE VIEW pdm_clock (now_ms) AS
    SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint;

CREATE TABLE allocations (
    id TEXT COLLATE "C" PRIMARY KEY CHECK (id <> ''),
    fqdn TEXT COLLATE "C" NOT NULL CHECK (fqdn <> ''),
    pool TEXT COLLATE "C" NOT NULL CHECK (pool <> ''),
    look TEXT COLLATE "C" NOT NULL,
    mode TEXT NOT NULL CHECK (mode IN ('pool')),
    owner TEXT COLLATE "C" NOT NULL CHECK (owner <> ''),
    phase TEXT COLLATE "C" NOT NULL CHECK (phase IN
        ('reserved', 'provisioning', 'delegating', 'active', 'releasing', 'quarantined', 'freed')),
    generation BIGINT NOT NULL CHECK (generation >= 1),
    target TEXT,
    committed TEXT,
    commit_operation TEXT,
    suspended TEXT,
    legacy BIGINT NOT NULL CHECK (legacy IN (0, 1)),
    created_by TEXT,
    request_key TEXT,
    reserved_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    quarantined_until BIGINT,
    conditions TEXT NOT NULL,
    observed TEXT NOT NULL,
    proof TEXT,
    updated_at BIGINT NOT NULL,
    CHECK (phase <> 'quarantined' OR quarantined_until IS NOT NULL)
);

CREATE UNIQUE INDEX allocations_live_name ON allocations (fqdn) WHERE phase <> 'freed';
CREATE INDEX allocations_name ON allocations (fqdn, reserved_at, id);
CREATE INDEX allocations_live_look ON allocations (pool, look) WHERE phase <> 'freed';
CREATE INDEX allocations_live_owner ON allocations (pool, owner) WHERE phase <> 'freed';
CREATE INDEX allocations_expiry ON allocations (expires_at) WHERE phase = 'reserved';
CREATE INDEX allocations_quarantine ON allocations (quarantined_until) WHERE phase = 'quarantined';

-- `seq` is the place in the store's order: no two committed operations ever share one.
CREATE TABLE operations (
    seq BIGSERIAL PRIMARY KEY,
    id TEXT COLLATE "C" NOT NULL UNIQUE CHECK (id <> ''),
    allocation TEXT COLLATE "C" NOT NULL REFERENCES allocations (id),
    fqdn TEXT COLLATE "C" NOT NULL,
    pool TEXT COLLATE "C" NOT NULL,
    kind TEXT COLLATE "C" NOT NULL CHECK (kind IN ('commit', 'change', 'repair', 'release')),
    generation BIGINT NOT NULL CHECK (generation >= 1),
    state TEXT COLLATE "C" NOT NULL CHECK (state IN ('open', 'done', 'superseded')),
    steps TEXT NOT NULL,
    waiting BIGINT NOT NULL DEFAULT 0 CHECK (waiting IN (0, 1)),
    lease_token TEXT COLLATE "C",
    lease_until BIGINT,
    next_look_at BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    finished_at BIGINT,
    CHECK ((state = 'open') = (finished_at IS NULL)),
    CHECK ((lease_token IS NULL) = (lease_until IS NULL)),
    CHECK (state = 'open' OR lease_token IS NULL)
);

CREATE UNIQUE INDEX operations_open ON operations (allocation) WHERE state = 'open';
CREATE INDEX operations_due ON operations (next_look_at) WHERE state = 'open';
CREATE INDEX operations_lease ON operations (lease_token) WHERE lease_token IS NOT NULL;
CREATE INDEX operations_release ON operations (pool, created_at) WHERE kind = 'release';

CREATE TABLE operation_events (
    seq BIGSERIAL PRIMARY KEY,
    operation TEXT COLLATE "C" NOT NULL,
    at BIGINT NOT NULL,
    body TEXT NOT NULL
);

CREATE INDEX operation_events_operation ON operation_events (operation, seq);

CREATE TABLE audit_log (
    seq BIGSERIAL PRIMARY KEY,
    at BIGINT NOT NULL,
    actor TEXT COLLATE "C" NOT NULL CHECK (actor <> ''),
    action TEXT NOT NULL CHECK (action <> ''),
    fqdn TEXT COLLATE "C",
    result TEXT NOT NULL CHECK (result <> ''),
    detail TEXT NOT NULL
);

CREATE INDEX audit_log_fqdn ON audit_log (fqdn, seq);
CREATE INDEX audit_log_actor ON audit_log (actor, seq);

CREATE FUNCTION audit_log_insert_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit log is insert-only' USING ERRCODE = 'restrict_violation';
END;
$$;

CREATE TRIGGER audit_log_insert_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_log
    FOR EACH STATEMENT EXECUTE FUNCTION audit_log_insert_only();

CREATE TABLE requests (
    key TEXT COLLATE "C" PRIMARY KEY,
    digest TEXT NOT NULL,
    begun_at BIGINT NOT NULL,
    status BIGINT,
    response TEXT,
    CHECK ((status IS NULL) = (response IS NULL))
);

CREATE INDEX requests_begun ON requests (begun_at);

-- The empty pool stands for all of them.
CREATE TABLE freezes (
    pool TEXT COLLATE "C" PRIMARY KEY,
    actor TEXT COLLATE "C" NOT NULL,
    since BIGINT NOT NULL
);

-- The last holder stays in the row; no `lease_until` means that it gave the lease back.
CREATE TABLE zone_leases (
    zone TEXT COLLATE "C" PRIMARY KEY,
    holder TEXT COLLATE "C" NOT NULL,
    lease_until BIGINT
);

INSERT INTO meta (key, value) VALUES ('schema_version', '1'), ('min_compatible', '1');
