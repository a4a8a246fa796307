#!/bin/bash
# Stands before the real psql: records how it is called, and refuses to be called with a password at hand.
set -euo pipefail
printf '%s %s\n' "${PGUSER}" "$*" >> "${WORLD}/psql.log"
[ -z "${PGPASSWORD+x}" ] || { echo 'psql: error: a password stands in the environment' >&2; exit 1; }
[ "$(stat -c %a "${PGPASSFILE}")" = 600 ] || { echo 'psql: error: the password file is not private' >&2; exit 1; }
[ "${PGSSLMODE}" = verify-full ] || { echo "psql: error: sslmode is ${PGSSLMODE}" >&2; exit 1; }
grep -q CERTIFICATE "${PGSSLROOTCERT}" || { echo 'psql: error: no certificate to check with' >&2; exit 1; }
if [ -e "${WORLD}/cut-psql" ] && [ "$(grep -c . "${WORLD}/psql.log")" -ge "$(cat "${WORLD}/cut-psql")" ]; then
  echo 'psql: error: server closed the connection unexpectedly' >&2
  exit 2
fi
# A server without TLS can't be asked for more than that.
[ -z "${WORLD_SSLMODE}" ] || export PGSSLMODE="${WORLD_SSLMODE}"
# The tests say what a server with another certificate would.
if [ -e "${WORLD}/trusted.pem" ] && ! cmp -s "${WORLD}/trusted.pem" "${PGSSLROOTCERT}"; then
  echo 'psql: error: connection to server at "localhost" failed: SSL error: certificate verify failed' >&2
  exit 2
fi
exec "${WORLD_PSQL}" "$@"
