# shellcheck shell=bash disable=SC2034,SC2154 # what is set there is used here, and the other way round
# The Kubernetes side of bin/database, which sources this file: the Secret that the password lives in, and its copies
# in the namespaces of the definition. Manifests go to kubectl through standard input.

readonly SOURCE_NAMESPACE=kube-cfn SOURCE_NAME=database
# Label of the copies: only what has it is changed and deleted.
readonly MARK=kube-cfn/secret

# An API server that accepts a connection and does not answer counts as not there yet.
secret_api() {
  kubectl --request-timeout=30s "$@"
}

# Reads the source: the password into ${scratch}/password and the authorities into ${scratch}/ca.pem, where it has them.
secret_read_source() {
  secret_read_password
  jq -j '.data["ca.crt"] // "" | @base64d' "${scratch}/source.json" > "${scratch}/ca.pem"
  local fetched
  fetched="$(jq -r '.metadata.annotations["kube-cfn/fetched"] // "" | select(test("^[1-9][0-9]{0,11}$"))' \
    "${scratch}/source.json")"
  authorities_age_days=$((($(date +%s) - ${fetched:-0}) / 86400))
}

secret_read_password() {
  secret_get "${SOURCE_NAMESPACE}" "${SOURCE_NAME}" "${scratch}/source.json"
  jq -j '.data.password // "" | @base64d' "${scratch}/source.json" > "${scratch}/password"
}

# Writes a Secret as JSON into a file, `{}` where there is none.
secret_get() { # secret_get NAMESPACE NAME FILE
  secret_api get secret "$2" --namespace "$1" --ignore-not-found --output json > "$3" 2> "${scratch}/said" \
    || give_up "${not_there_yet}" "the API did not show the Secret $1/$2: $(last_message "${scratch}/said")"
  [ -s "$3" ] || echo '{}' > "$3"
}

secret_apply() {
  # Overwrites what others wrote into a Secret of ours: the definition decides.
  secret_api apply --server-side --field-manager kube-cfn --force-conflicts -f - > /dev/null 2> "${scratch}/said"
}

secret_create() {
  secret_api create --field-manager kube-cfn -f - > /dev/null 2> "${scratch}/said"
}

secret_refused() { # secret_refused WHAT [WHY]
  give_up "${not_there_yet}" "the API did not take the $1: ${2:-$(last_message "${scratch}/said")}"
}

# Makes sure that there is a password, and that it is in the source before PostgreSQL gets it.
secret_ensure_password() {
  if secret_has_password; then return; fi
  secret_make_namespace
  head -c 4096 /dev/urandom | LC_ALL=C tr -dc 'A-Za-z0-9' | cut -c 1-40 | tr -d '\n' > "${scratch}/password"
  # Created, not applied: another slot may be doing the same, and then the first password counts.
  local verb=secret_create why
  [ "$(jq -r '.kind // ""' "${scratch}/source.json")" != Secret ] || verb=secret_apply
  if ! secret_source --rawfile password "${scratch}/password" | "${verb}"; then
    why="$(last_message "${scratch}/said")"
    secret_read_password
    if secret_has_password; then return; fi
    secret_refused "Secret ${SOURCE_NAMESPACE}/${SOURCE_NAME}" "${why}"
  fi
  say "made a password for ${DATABASE_USER}, in the Secret ${SOURCE_NAMESPACE}/${SOURCE_NAME}"
}

# One printable line: anything else was not made here.
secret_has_password() {
  LC_ALL=C grep -qE '^[!-~]{16,}$' "${scratch}/password" && [ "$(wc -l < "${scratch}/password")" -eq 0 ]
}

# The manifest of the source with the fields that the named files hold.
secret_source() { # secret_source [--rawfile FIELD FILE]...
  jq -n --arg namespace "${SOURCE_NAMESPACE}" --arg name "${SOURCE_NAME}" "$@" '
    { apiVersion: "v1", kind: "Secret", type: "Opaque",
      metadata: ({ $name, $namespace, labels: { "app.kubernetes.io/managed-by": "kube-cfn" } }
        + if $ARGS.named.fetched then { annotations: { "kube-cfn/fetched": $ARGS.named.fetched } } else {} end),
      data: ($ARGS.named | del(.name, .namespace, .fetched)
        | with_entries(.key |= sub("ca_crt"; "ca.crt")) | map_values(@base64)) }'
}

secret_make_namespace() {
  local found
  found="$(secret_api get namespace "${SOURCE_NAMESPACE}" --ignore-not-found --output name 2> "${scratch}/said")" \
    || give_up "${not_there_yet}" "the API did not show the namespaces: $(last_message "${scratch}/said")"
  [ -z "${found}" ] || return 0
  jq -n --arg name "${SOURCE_NAMESPACE}" '{ apiVersion: "v1", kind: "Namespace",
    metadata: { $name, labels: { "app.kubernetes.io/managed-by": "kube-cfn" } } }' | secret_apply \
    || secret_refused "Namespace ${SOURCE_NAMESPACE}"
}

# Keeps the authorities in the source once the database has been reached with them, for all slots.
secret_keep_authorities() {
  [ -n "${authorities_are_new:-}" ] || return 0
  secret_source --rawfile ca_crt "${scratch}/ca.pem" --arg fetched "$(date +%s)" | secret_apply \
    || secret_refused "Secret ${SOURCE_NAMESPACE}/${SOURCE_NAME}"
}

# Copies what a connection needs into every namespace of the definition, and takes it out of all others.
secret_copy_to_namespaces() {
  local namespace code=0 one
  secret_wanted > "${scratch}/wanted.json"
  for namespace in ${DATABASE_NAMESPACES}; do
    one=0
    secret_copy "${namespace}" || one=$?
    # What is only not there yet is tried again soon, also when something else needs a person.
    if [ "${code}" -ne "${not_there_yet}" ] && [ "${one}" -ne 0 ]; then code="${one}"; fi
  done
  secret_withdraw || code=$?
  return "${code}"
}

# The data of a copy. The URL names the authorities where a pod has them that mounts the Secret at /run/secrets/NAME.
secret_wanted() {
  jq -n --arg host "${host}" --arg port "${port}" --arg database "${database}" --arg user "${DATABASE_USER}" \
    --rawfile password "${scratch}/password" --rawfile ca "${scratch}/ca.pem" \
    --arg mount "/run/secrets/${DATABASE_SECRET}" '
    ("postgresql://\($user | @uri):\($password | @uri)@\($host):\($port)/\($database | @uri)"
      + "?sslmode=verify-full&sslrootcert=\($mount)/ca.crt") as $url
    | { $host, $port, $database, $user, $password, sslmode: "verify-full", "ca.crt": $ca, $url } | map_values(@base64)'
}

secret_copy() { # secret_copy NAMESPACE
  local namespace="$1" found owner changed
  found="$(secret_api get namespace "${namespace}" --ignore-not-found --output name 2> "${scratch}/said")" \
    || give_up "${not_there_yet}" "the API did not show the namespace ${namespace}: $(last_message "${scratch}/said")"
  if [ -z "${found}" ]; then
    say "there is no namespace ${namespace} yet: it gets the Secret ${DATABASE_SECRET} some minutes after it is made"
    return "${not_there_yet}"
  fi
  secret_get "${namespace}" "${DATABASE_SECRET}" "${scratch}/copy.json"
  owner="$(jq -r --arg mark "${MARK}" 'if .kind then .metadata.labels[$mark] else "database" end' \
    "${scratch}/copy.json")"
  if [ "${owner}" != database ]; then
    say "the Secret ${namespace}/${DATABASE_SECRET} was not made by kube-cfn: delete it, or choose another database.secret.name"
    return "${needs_a_person}"
  fi
  changed="$(jq -r --slurpfile wanted "${scratch}/wanted.json" '(.data // {}) as $data
    | [$wanted[0] | to_entries[] | select($data[.key] != .value) | .key] | join(", ")' "${scratch}/copy.json")" \
    || return 1
  [ -n "${changed}" ] || return 0
  jq --arg namespace "${namespace}" --arg name "${DATABASE_SECRET}" --arg mark "${MARK}" '
    { apiVersion: "v1", kind: "Secret", type: "Opaque", data: .,
      metadata: { $name, $namespace, labels: { "app.kubernetes.io/managed-by": "kube-cfn", ($mark): "database" } } }' \
    "${scratch}/wanted.json" | secret_apply || {
    say "the API did not take the Secret ${namespace}/${DATABASE_SECRET}: $(last_message "${scratch}/said")"
    return "${not_there_yet}"
  }
  say "wrote the Secret ${namespace}/${DATABASE_SECRET}: ${changed}"
}

# Deletes our Secrets where the definition does not want them any more.
secret_withdraw() {
  local namespace name
  secret_api get secrets --all-namespaces --selector "${MARK}=database" --output json \
    > "${scratch}/copies.json" 2> "${scratch}/said" \
    || give_up "${not_there_yet}" "the API did not list the Secrets of the database: $(last_message "${scratch}/said")"
  jq -r --arg name "${DATABASE_SECRET}" --arg namespaces "${DATABASE_NAMESPACES}" '
    ($namespaces | split(" ")) as $wanted | .items[].metadata
    | select(.name != $name or (.namespace as $one | $wanted | index($one) | not)) | "\(.namespace) \(.name)"' \
    "${scratch}/copies.json" > "${scratch}/unwanted"
  while read -r namespace name; do
    secret_api delete secret "${name}" --namespace "${namespace}" --ignore-not-found \
      < /dev/null > /dev/null 2> "${scratch}/said" || {
      say "the API did not delete the Secret ${namespace}/${name}: $(last_message "${scratch}/said")"
      return "${not_there_yet}"
    }
    say "deleted the Secret ${namespace}/${name}: the definition does not name it any more"
  done < "${scratch}/unwanted"
}
