-- The store, version 2. The SQLite file of the same number makes the same tables.
-- Modes and kinds are words that the binary knows; the store only wants one.
-- `byo` is the side of a domain that its owner brings, `keys` the key policy and the roll under way; JSON, or nothing.

ALTER TABLE allocations DROP CONSTRAINT allocations_mode_check;
ALTER TABLE allocations ADD CONSTRAINT allocations_mode_check CHECK (mode <> '');
ALTER TABLE allocations ADD COLUMN byo TEXT;
ALTER TABLE allocations ADD COLUMN keys TEXT;
ALTER TABLE operations DROP CONSTRAINT operations_kind_check;
ALTER TABLE operations ADD CONSTRAINT operations_kind_check CHECK (kind <> '');

-- Names that lie below one that an owner brings are found by reading these.
CREATE INDEX allocations_byo ON allocations (fqdn) WHERE mode <> 'pool' AND phase <> 'freed';

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

UPDATE meta SET value = '2' WHERE key IN ('schema_version', 'min_compatible');
