#!/bin/sh
# Give an empty PostgreSQL database PowerDNS's tables: schema.sh FILE, with libpq's variables (PGHOST, PGUSER, ...).
# In one transaction, so that an interrupted run leaves nothing, and only once.
set -eu
there=$(psql -XAtc "select to_regclass('domains') is not null")
[ "$there" = f ] || exit 0
psql -Xq1 -v ON_ERROR_STOP=1 -f "$1"
