# shellcheck shell=bash disable=SC2034,SC2153 # other files use it; NODE_SLOTS and SLOT come from node.env and host.env
# The members of etcd: the slot of each, and how they are queried. Sourced by boot and by the programs for
# etcd; does nothing by itself.

# Root of the file tree; / on a node, another directory in tests.
etcd_root=${etcd_root:-}
etcd_home="${etcd_root}/var/lib/etcd"
etcd_data="${etcd_home}/data"
etcd_pki="${etcd_root}/etc/kubernetes/pki/etcd"

etcd_slots() {
  local entry
  for entry in ${NODE_SLOTS}; do printf '%s\n' "${entry%%=*}"; done
}

# Fails for a slot that the cluster does not have.
etcd_slot_address() {
  local entry
  for entry in ${NODE_SLOTS}; do
    [ "${entry%%=*}" != "$1" ] || { printf '%s\n' "${entry#*=}"; return; }
  done
  return 1
}

etcd_member_name() { printf 'cp-%s\n' "$1"; }

etcd_peer_url() { printf 'https://%s:2380\n' "$(etcd_slot_address "$1")"; }
etcd_client_url() { printf 'https://%s:2379\n' "$(etcd_slot_address "$1")"; }

# The value of --initial-cluster.
etcd_initial_cluster() {
  local slot list=''
  for slot in $(etcd_slots); do
    list+="${list:+,}$(etcd_member_name "${slot}")=$(etcd_peer_url "${slot}")"
  done
  printf '%s\n' "${list}"
}

etcd_ctl() {
  etcdctl --cacert "${etcd_pki}/ca.crt" --cert "${etcd_pki}/healthcheck-client.crt" \
    --key "${etcd_pki}/healthcheck-client.key" --dial-timeout 3s "$@"
}

# etcd_ask EXCEPT ARGUMENT...: the first answer of a member of any slot but EXCEPT (- for none), this slot's own first.
# etcdctl prints warnings on stderr also when it succeeds: stderr is shown only when no member answers.
etcd_ask() {
  local except=$1 slot answer errors status=1
  shift
  errors=$(mktemp)
  for slot in "${SLOT}" $(etcd_slots | grep -vx "${SLOT}"); do
    [ "${slot}" != "${except}" ] || continue
    if answer=$(etcd_ctl --endpoints "$(etcd_client_url "${slot}")" --command-timeout 5s "$@" 2> "${errors}"); then
      printf '%s\n' "${answer}"
      status=0
      break
    fi
  done
  [ "${status}" -eq 0 ] || cat "${errors}" >&2
  rm -f "${errors}"
  return "${status}"
}

# A member a line: ID STATE NAME LEARNER PEER. NAME is - until the member has started. Fails on a line of another form.
etcd_members() {
  local list line id state name peer learner
  list=$(etcd_ask "$1" member list --write-out simple) || return 1
  while IFS= read -r line; do
    IFS=, read -r id state name peer _ learner <<< "${line//, /,}"
    if ! [[ ${id} =~ ^[0-9a-f]+$ && ${learner} =~ ^(true|false)$ ]]; then
      echo "list the members: etcdctl printed a line of unknown form: ${line}" >&2
      return 1
    fi
    printf '%s %s %s %s %s\n' "${id}" "${state}" "${name:--}" "${learner}" "${peer}"
  done <<< "${list}"
}

# The line of a slot's member, found by its address: a member that never started has no name.
etcd_member_of() {
  local line peer
  peer=$(etcd_peer_url "$1")
  while IFS= read -r line; do
    [ "${line##* }" != "${peer}" ] || printf '%s\n' "${line}"
  done <<< "$2"
}

# The value of a field of etcdctl's and etcdutl's `--write-out fields`.
etcd_field() { sed -n "/^\"$1\" : \"\{0,1\}\([^\"]*\)\"\{0,1\}\$/{s//\1/p;q}" <<< "$2"; }

# The status that the member of a slot reports itself; fails when it doesn't answer.
etcd_status_of() {
  etcd_ctl --endpoints "$(etcd_client_url "$1")" --command-timeout 3s endpoint status --write-out fields 2> /dev/null
}

# The id in a status, as the list of members has it: `--write-out fields` prints ids in decimal.
etcd_id_in() { printf '%x\n' "$(etcd_field MemberID "$1")"; }

# Whether the member of a slot serves requests, which takes a leader.
etcd_serves() {
  etcd_ctl --endpoints "$(etcd_client_url "$1")" --command-timeout 5s endpoint health > /dev/null 2>&1
}
