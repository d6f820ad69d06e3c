-- The store, version 2. The SQLite file of the same number makes the same tables.
-- Modes and kinds are words that the binary knows; the store only wants one.
-- `byo` is the side of a domain that its owner brings, `keys` the key policy and the roll under way; JSON, or nothing.

ALTER TABLE allocations DROP CONSTRAINT allocations_mode_check;
ALTER TABLE allocations ADD CONSTRAINT allocations_mode_check CHECK (mode <> '');
ALTER TABLE allocations ADD COLUMN byo TEXT;
ALTER TABLE allocations ADD COLUMN keys TEXT;
ALTER TABLE operations DROP CONSTRAINT operations_kind_check;
ALTER TABLE operations ADD CONSTRAINT operations_kind_check CHECK (kind <> '');
ALTER TABLE operations ADD COLUMN waits_for TEXT NOT NULL DEFAULT 'nobody' CHECK (waits_for <> '');

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
    reserved_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    disputed_at BIGINT
);

CREATE UNIQUE INDEX claims_owner ON claims (fqdn, owner);
CREATE INDEX claims_expiry ON claims (expires_at);

-- Sealed credentials of registrars; nobody reads them without the key.
CREATE TABLE credentials (
    allocation TEXT PRIMARY KEY NOT NULL CHECK (allocation <> ''),
    registrar TEXT NOT NULL CHECK (registrar <> ''),
    sealed TEXT NOT NULL CHECK (sealed <> ''),
    sealed_at BIGINT NOT NULL
);

-- Reports of audits, and what somebody knows about already.
CREATE TABLE audits (
    seq BIGSERIAL PRIMARY KEY,
    id TEXT COLLATE "C" NOT NULL UNIQUE CHECK (id <> ''),
    fqdn TEXT COLLATE "C" NOT NULL CHECK (fqdn <> ''),
    at BIGINT NOT NULL,
    worst TEXT,
    verdict TEXT NOT NULL,
    undelegated BIGINT NOT NULL CHECK (undelegated IN (0, 1)),
    body TEXT NOT NULL,
    recording TEXT
);

CREATE INDEX audits_fqdn ON audits (fqdn, seq);
CREATE INDEX audits_at ON audits (at);

CREATE TABLE acknowledgements (
    fqdn TEXT COLLATE "C" NOT NULL,
    finding TEXT COLLATE "C" NOT NULL,
    actor TEXT NOT NULL CHECK (actor <> ''),
    reason TEXT NOT NULL,
    until BIGINT NOT NULL,
    PRIMARY KEY (fqdn, finding)
);

-- Names at which the last quick look saw something wrong.
CREATE TABLE wrong_names (
    fqdn TEXT COLLATE "C" PRIMARY KEY NOT NULL CHECK (fqdn <> ''),
    why TEXT NOT NULL,
    since BIGINT NOT NULL
);

-- What rounds of quick looks saw.
CREATE TABLE measurements (
    seq BIGSERIAL PRIMARY KEY,
    at BIGINT NOT NULL,
    looks BIGINT NOT NULL,
    silent BIGINT NOT NULL,
    wrong BIGINT NOT NULL,
    millis BIGINT NOT NULL
);

CREATE INDEX measurements_at ON measurements (at);

-- The audit log as one chain: each place commits to the one before. Entries are sealed in batches after they were
-- written, in the order in which the sealer saw them, so that nothing that appends waits for another.
CREATE TABLE audit_chain (
    place BIGINT PRIMARY KEY,
    seq BIGINT NOT NULL UNIQUE REFERENCES audit_log (seq),
    digest TEXT NOT NULL,
    hash TEXT NOT NULL
);

CREATE TABLE audit_checkpoints (
    place BIGINT PRIMARY KEY,
    at BIGINT NOT NULL,
    hash TEXT NOT NULL,
    key TEXT NOT NULL,
    signature TEXT NOT NULL
);

CREATE TRIGGER audit_chain_insert_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_chain
    FOR EACH STATEMENT EXECUTE FUNCTION audit_log_insert_only();

CREATE TRIGGER audit_checkpoints_insert_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_checkpoints
    FOR EACH STATEMENT EXECUTE FUNCTION audit_log_insert_only();

-- What happened to allocations and was not told yet. Triggers write it, so that no way of changing an allocation can
-- forget to; once for everybody who is told, so that nobody waits for another.
CREATE TABLE outbox_sinks (
    sink TEXT COLLATE "C" PRIMARY KEY NOT NULL CHECK (sink <> '')
);

CREATE TABLE outbox (
    seq BIGSERIAL PRIMARY KEY,
    sink TEXT COLLATE "C" NOT NULL,
    at BIGINT NOT NULL,
    allocation TEXT COLLATE "C" NOT NULL,
    fqdn TEXT COLLATE "C" NOT NULL,
    pool TEXT COLLATE "C" NOT NULL,
    mode TEXT NOT NULL,
    owner TEXT NOT NULL,
    phase TEXT NOT NULL,
    was TEXT,
    generation BIGINT NOT NULL,
    target TEXT,
    suspended TEXT,
    conditions TEXT NOT NULL,
    finding TEXT,
    trace TEXT,
    conditions_before TEXT
);

CREATE INDEX outbox_sink ON outbox (sink, seq);

CREATE FUNCTION outbox_write() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    before TEXT := NULL;
    conditions_were TEXT := NULL;
BEGIN
    IF TG_OP = 'UPDATE' THEN
        before := OLD.phase;
        conditions_were := OLD.conditions;
    END IF;
    INSERT INTO outbox (sink, at, allocation, fqdn, pool, mode, owner, phase, was, generation, target, suspended, conditions,
        conditions_before, trace)
    SELECT sink, NEW.updated_at, NEW.id, NEW.fqdn, NEW.pool, NEW.mode, NEW.owner, NEW.phase, before, NEW.generation, NEW.target,
        NEW.suspended, NEW.conditions, conditions_were, nullif(current_setting('pdm.trace', true), '')
    FROM outbox_sinks;
    RETURN NULL;
END;
$$;

CREATE TRIGGER outbox_new AFTER INSERT ON allocations FOR EACH ROW EXECUTE FUNCTION outbox_write();
CREATE TRIGGER outbox_changed AFTER UPDATE ON allocations FOR EACH ROW
    WHEN ((NEW.phase, NEW.owner, NEW.generation, NEW.suspended, NEW.conditions)
        IS DISTINCT FROM (OLD.phase, OLD.owner, OLD.generation, OLD.suspended, OLD.conditions))
    EXECUTE FUNCTION outbox_write();

-- The records of a domain's old zone, with what people decided about them (JSON).
CREATE TABLE carried_records (
    allocation TEXT PRIMARY KEY NOT NULL CHECK (allocation <> ''),
    zone TEXT NOT NULL CHECK (zone <> ''),
    version BIGINT NOT NULL
);

-- The keys of pools' own zones, what people want of them, and their DS at the parent (JSON).
CREATE TABLE pool_keys (
    pool TEXT PRIMARY KEY NOT NULL CHECK (pool <> ''),
    keys TEXT NOT NULL CHECK (keys <> ''),
    version BIGINT NOT NULL
);

UPDATE meta SET value = '2' WHERE key IN ('schema_version', 'min_compatible');
