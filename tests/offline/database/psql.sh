#!/bin/bash
# Stands before the real psql: records how it is called, and that no password is among what it is given.
set -euo pipefail
printf '%s\n' "$*" >> "${WORLD}/psql.log"
[ -z "${PGPASSWORD+x}" ] || { echo 'psql: error: a password stands in the environment' >&2; exit 1; }
[ "$(stat -c %a "${PGPASSFILE}")" = 600 ] || { echo 'psql: error: the password file is not private' >&2; exit 1; }
[ "${PGSSLMODE}" = verify-full ] || { echo "psql: error: sslmode is ${PGSSLMODE}" >&2; exit 1; }
exec "${WORLD_PSQL}" "$@"
