-- The store, version 2. The SQLite file of the same number makes the same tables.
-- Modes and kinds are words that the binary knows; the store only wants one.
-- `byo` is the side of a domain that its owner brings, `keys` the key policy and the roll under way; JSON, or nothing.

ALTER TABLE allocations DROP CONSTRAINT allocations_mode_check;
ALTER TABLE allocations ADD CONSTRAINT allocations_mode_check CHECK (mode <> '');
ALTER TABLE allocations ADD COLUMN byo TEXT;
ALTER TABLE allocations ADD COLUMN keys TEXT;
ALTER TABLE operations DROP CONSTRAINT operations_kind_check;
ALTER TABLE operations ADD CONSTRAINT operations_kind_check CHECK (kind <> '');

UPDATE meta SET value = '2' WHERE key IN ('schema_version', 'min_compatible');
