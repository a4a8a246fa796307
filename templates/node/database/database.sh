#!/bin/bash
# shellcheck disable=SC2034 # the sourced files use what is set here
# Gives workloads their database: a user of its own in PostgreSQL, and a Secret with all that a connection needs in
# the namespaces that the definition names. kube-cfn-database.timer runs it on every slot.
#
# The password exists in one place, a Secret in the namespace kube-cfn: it is written there first, then given to
# PostgreSQL, then copied. The next run finishes an interrupted one. The master's password stays on this
# machine and is gone when the program ends.
#
# Changes nothing where everything is as it should be. Exit codes: 75 where something is not there yet (try again
# soon), 78 where a person has to decide, 1 for anything else.
set -euo pipefail
umask 077

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/../../.." && pwd)"
root="${root%/}"
readonly not_there_yet=75 needs_a_person=78

say() {
  echo "database: $*" >&2
}

give_up() { # give_up CODE MESSAGE
  local code="$1"
  shift
  say "$*"
  exit "${code}"
}

# The last message of another program, in one line and without its prefix.
last_message() { # last_message FILE
  sed -e 's/^psql:[^ ]* //' -e 's/^\(error\|ERROR\|FATAL\): *//' \
    -e '/^[[:space:]]*$/d' -e '/^password retrieved from file/d' "$1" | tail -n 1
}

# Installs the first of some packages that there is, for a program that this machine does not have.
need() { # need PROGRAM PACKAGE...
  local program="$1" package
  shift
  if command -v "${program}" > /dev/null; then return; fi
  for package in "$@"; do
    if (umask 022 && dnf install --assumeyes --quiet "${package}") > "${scratch}/said" 2>&1; then return; fi
  done
  give_up "${not_there_yet}" "${program} is missing and dnf did not install it (as $*): $(last_message "${scratch}/said")"
}

main() {
  scratch="$(mktemp -d "${RUNTIME_DIRECTORY:-${TMPDIR:-/run}}/database.XXXXXX")"
  trap 'rm -rf "${scratch}"' EXIT
  need psql postgresql17 postgresql16 postgresql15
  secret_read_source
  server_find
  server_load_authorities
  server_connect
  server_grant
  secret_ensure_password
  server_ensure_password
  secret_keep_authorities
  secret_copy_to_namespaces
}

for file in etc/kube-cfn/node.env etc/kube-cfn/host.env etc/kube-cfn/database.env \
  opt/kube-cfn/lib/ec2.sh opt/kube-cfn/lib/database/server.sh opt/kube-cfn/lib/database/secret.sh; do
  [ -r "${root}/${file}" ] \
    || give_up 1 "${root}/${file} is missing, though it is part of every control-plane node: replace this one"
  # shellcheck source=/dev/null
  . "${root}/${file}"
done
export KUBECONFIG="${root}/etc/kube-cfn/local-admin.conf"
main
