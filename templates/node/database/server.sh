# shellcheck shell=bash disable=SC2034,SC2154 # what is set there is used here, and the other way round
# The PostgreSQL side of bin/database, which sources this file and makes ${scratch}: a directory for its owner only.
# Passwords are passed in files of that directory: no argument and no environment variable ever holds one. Files there:
# server.json, ca.pem (what the server's certificate is checked against), master.pgpass, application.pgpass,
# password (the application's, without a newline), said (what the last program said).

# A certificate authority that AWS adds reaches workloads within this many days.
readonly AUTHORITIES_LAST_DAYS=30

# Sets host, port, database and master from RDS's description of the cluster's database.
server_find() {
  ec2_databases > "${scratch}/databases.json" 2> "${scratch}/said" \
    || give_up "${not_there_yet}" "AWS did not list the databases: $(last_message "${scratch}/said")"
  jq '[.[] | select(.status != "deleting" and (.address // "") != "")]' "${scratch}/databases.json" \
    > "${scratch}/server.json"
  local all
  all="$(server_fact 'map(.address) | join(", ")')"
  case "${all}" in
    '') give_up "${not_there_yet}" "no database of ${NODE_CLUSTER} has an address yet; making one takes ten minutes" ;;
    *,*) give_up "${not_there_yet}" "${NODE_CLUSTER} has several databases, ${all}: waiting until one is left" ;;
  esac
  host="$(server_fact '.[0].address')"
  port="$(server_fact '.[0].port')"
  database="$(server_fact '.[0].name // ""')"
  local secret
  secret="$(server_fact '.[0].masterSecretArn // ""')"
  [ -n "${secret}" ] \
    || give_up "${needs_a_person}" "${host} has no secret of its master user: let RDS manage the master password again"
  ec2_secret "${secret}" > "${scratch}/master.json" 2> "${scratch}/said" \
    || give_up "${not_there_yet}" "AWS did not show the secret of the master: $(last_message "${scratch}/said")"
  master="$(jq -r .username "${scratch}/master.json")"
  jq -j .password "${scratch}/master.json" | server_pass master
}

server_fact() {
  jq -r "$1" "${scratch}/server.json"
}

# Writes the password file of a user for psql, from standard input.
server_pass() { # server_pass master|application
  jq -Rrs '"*:*:*:*:" + (gsub("(?<odd>[\\\\:])"; "\\" + .odd))' > "${scratch}/$1.pgpass"
}

# The certificates are asked of AWS by name, not by hash: AWS adds authorities to the file when it wants new ones, and
# on that day a hash in this program would keep every new node from the database. What is trusted instead: the TLS of
# amazonaws.com; that OpenSSL reads certificates out of the file; and that the database itself shows one of theirs,
# before anything is kept. It is the file of the region, some 6 KB: that of all regions is 165 KB, and `envFrom`
# makes a variable of every key, which Linux limits to 128 KiB.
server_load_authorities() {
  if [ -s "${scratch}/ca.pem" ] && [ "${authorities_age_days:-0}" -lt "${AUTHORITIES_LAST_DAYS}" ]; then return; fi
  if server_fetch_authorities; then
    authorities_are_new=yes
  elif [ -s "${scratch}/ca.pem" ]; then
    say "keeping the authorities of ${authorities_age_days} days ago: $(last_message "${scratch}/said")"
  else
    give_up "${not_there_yet}" "the authorities of RDS could not be fetched: $(last_message "${scratch}/said")"
  fi
}

server_fetch_authorities() {
  local place='truststore.pki.rds.amazonaws.com' new="${scratch}/new-ca.pem"
  case "${NODE_REGION}" in us-gov-*) place='truststore.pki.us-gov-west-1.rds.amazonaws.com' ;; esac
  curl --fail --silent --show-error --proto '=https' --tlsv1.2 --max-time 60 --retry 2 --output "${new}" \
    "https://${place}/${NODE_REGION}/${NODE_REGION}-bundle.pem" > /dev/null 2> "${scratch}/said" || return 1
  # grep reads to the end: openssl would end by SIGPIPE otherwise, and pipefail would call that a failure.
  if ! openssl crl2pkcs7 -nocrl -certfile "${new}" 2> "${scratch}/said" \
    | openssl pkcs7 -print_certs -noout 2>> "${scratch}/said" | grep -c '^issuer' > /dev/null; then
    echo "what ${place} serves holds no certificate" > "${scratch}/said"
    return 1
  fi
  mv "${new}" "${scratch}/ca.pem"
}

# Runs psql as one of the two users, in a session of its own: with a terminal it would ask for a password there.
server_psql() { # server_psql master|application ARGUMENT...
  local who="$1" name="${master}"
  shift
  [ "${who}" = master ] || name="${DATABASE_USER}"
  PGHOST="${host}" PGPORT="${port}" PGDATABASE="${database:-postgres}" PGUSER="${name}" \
    PGPASSFILE="${scratch}/${who}.pgpass" PGSSLMODE=verify-full PGSSLROOTCERT="${scratch}/ca.pem" \
    PGCONNECT_TIMEOUT=15 PGAPPNAME=kube-cfn PGCLIENTENCODING=UTF8 LC_ALL=C \
    setsid --wait psql --no-psqlrc --no-password --no-align --tuples-only --set=ON_ERROR_STOP=1 "$@"
}

# Whether a user can log in.
server_accepts() { # server_accepts master|application
  server_psql "$1" --command='SELECT 1' > /dev/null 2> "${scratch}/said"
}

# Whether the master can log in with newer authorities: AWS may have given the server a certificate of a new one.
server_renew_trust() {
  [ -z "${authorities_are_new:-}" ] && grep -q 'certificate verify failed' "${scratch}/said" || return 1
  authorities_age_days="${AUTHORITIES_LAST_DAYS}"
  server_load_authorities
  server_accepts master
}

# Logs in as the master, and finds the database's name where AWS does not know it.
server_connect() {
  server_accepts master || server_renew_trust \
    || give_up "${not_there_yet}" "${host} does not accept the master: $(last_message "${scratch}/said")"
  [ -z "${database}" ] || return 0
  # A snapshot may come without a name. RDS has two databases of its own in every instance.
  database="$(server_psql master --command="SELECT datname FROM pg_database
    WHERE datallowconn AND datname NOT IN ('postgres', 'rdsadmin', 'template1') ORDER BY datname")"
  case "${database}" in
    '') give_up "${needs_a_person}" "there is no database in ${host} but its own: create one as the master ${master}" ;;
    *$'\n'*) give_up "${needs_a_person}" "which database of ${host} is meant: ${database//$'\n'/, }? Leave one of them" ;;
  esac
}

# Makes the user and what it may do; prints nothing where all of it is there.
server_grant() {
  local new
  new="$(server_psql master --single-transaction --set=user="${DATABASE_USER}" \
    --file="${root}/opt/kube-cfn/lib/database/grants.sql" 2> "${scratch}/said")" || {
    local why
    why="$(grep -m 1 -o 'the user ".*' "${scratch}/said" || true)"
    [ -z "${why}" ] || give_up "${needs_a_person}" "${why}: choose another database.secret.user"
    give_up "${not_there_yet}" "the rights of ${DATABASE_USER} could not be set: $(last_message "${scratch}/said")"
  }
  [ -z "${new}" ] || say "user ${DATABASE_USER} of database ${database}: ${new//$'\n'/, }"
}

# Sets the password unless it is the one that lets the application in. psql hashes it on this side, so that neither
# the server's log nor pg_stat_statements ever sees it; it asks for it on standard input where there is no terminal.
server_ensure_password() {
  server_pass application < "${scratch}/password"
  if server_accepts application; then return; fi
  grep -q 'authentication failed' "${scratch}/said" \
    || give_up "${not_there_yet}" "${host} does not accept ${DATABASE_USER}: $(last_message "${scratch}/said")"
  { cat "${scratch}/password"; echo; cat "${scratch}/password"; echo; } \
    | server_psql master --set=user="${DATABASE_USER}" --command='\password :"user"' 2> "${scratch}/said" \
    || give_up "${not_there_yet}" "the password of ${DATABASE_USER} could not be set: $(last_message "${scratch}/said")"
  server_accepts application \
    || give_up "${not_there_yet}" \
      "${host} does not accept ${DATABASE_USER} with its new password: $(last_message "${scratch}/said")"
  say "user ${DATABASE_USER} of database ${database}: password set"
}
