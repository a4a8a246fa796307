# shellcheck shell=bash
# What the programs for etcd share: who the members are, how to talk to them, how the static pods are
# stopped and started. Sourced, never run.
#
# All paths lie below the root of the tree that this file is in, which on a node is /.

etcd_root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../.." && pwd)
etcd_root=${etcd_root%/}
# shellcheck source=/dev/null
. "${etcd_root}/etc/kube-cfn/node.env"
# shellcheck source=/dev/null
. "${etcd_root}/etc/kube-cfn/host.env"
# shellcheck source=/dev/null
. "${etcd_root}/opt/kube-cfn/lib/ec2.sh"
# shellcheck source=templates/node/etcd/etcd-boot.sh
. "${etcd_root}/opt/kube-cfn/lib/etcd-boot.sh"

# Systems Manager starts programs with a short PATH.
PATH="${PATH}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin"

etcd_home="${etcd_root}/var/lib/etcd"
etcd_data="${etcd_home}/data"
# On the volume: what is set aside or half restored moves with the slot to its next machine.
etcd_aside="${etcd_home}/aside"
# shellcheck disable=SC2034 # the programs use it
etcd_restores="${etcd_home}/restore"
etcd_manifests="${etcd_root}/etc/kubernetes/manifests"
etcd_stopped="${etcd_root}/etc/kubernetes/manifests-stopped"
etcd_pki="${etcd_root}/etc/kubernetes/pki/etcd"
# The API server first: it must not write to an etcd that is about to be another one.
etcd_pods=(kube-apiserver kube-controller-manager kube-scheduler etcd)

# --- saying ---------------------------------------------------------------------------------------

etcd_program=$(basename "$0")
etcd_step='start'
etcd_error=''
etcd_told=''

etcd_say() { printf '%s: %s\n' "${etcd_program}" "$*" >&2; }

# Names what is done from here on; a failure names it too.
etcd_doing() {
  etcd_step=$1
  etcd_say "$1"
}

etcd_die() {
  etcd_error=$1
  etcd_say "$1"
  exit "${2:-1}"
}

etcd_json_text() {
  local text=$1
  text=${text//\\/\\\\}
  text=${text//\"/\\\"}
  text=${text//$'\n'/\\n}
  text=${text//$'\t'/\\t}
  printf '"%s"' "${text//[[:cntrl:]]/}"
}

# The one line on stdout. Takes names and JSON values in turn; etcd_json_text makes a value of a text.
etcd_result() {
  local line
  line="{\"program\":$(etcd_json_text "${etcd_program}"),\"slot\":$(etcd_json_text "${SLOT:?}")"
  while [ $# -gt 1 ]; do
    line+=",$(etcd_json_text "$1"):$2"
    shift 2
  done
  etcd_told=yes
  printf '%s}\n' "${line}"
}

# shellcheck disable=SC2329 # the EXIT trap calls it
etcd_end() {
  local code=$?
  [ -z "${etcd_scratch:-}" ] || rm -rf "${etcd_scratch}"
  if [ "${code}" -ne 0 ] && [ -z "${etcd_told}" ]; then
    [ -n "${etcd_error}" ] || etcd_error="failed to ${etcd_step} (exit code ${code}); what it said stands above; run it again to go on"
    etcd_result ok false error "$(etcd_json_text "${etcd_error}")"
  fi
  exit "${code}"
}

# A program begins with this: from here on there is a result line, whatever happens.
etcd_begin() {
  trap etcd_end EXIT
  umask 077
}

# One program at a time works on this slot's etcd; the second waits a while for the first.
etcd_alone() {
  mkdir -p "${etcd_root}/run"
  exec 9> "${etcd_root}/run/kube-cfn-etcd.lock"
  flock --wait "${ETCD_LOCK_SECONDS:-300}" 9 \
    || etcd_die "wait for the other etcd program on this slot: it did not end; look with: fuser -v ${etcd_root}/run/kube-cfn-etcd.lock"
}

# --- members --------------------------------------------------------------------------------------

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

# As --initial-cluster wants it.
etcd_initial_cluster() {
  local slot list=''
  for slot in $(etcd_slots); do
    list+="${list:+,}$(etcd_member_name "${slot}")=$(etcd_peer_url "${slot}")"
  done
  printf '%s\n' "${list}"
}

etcd_ctl() {
  ETCDCTL_API=3 etcdctl --cacert "${etcd_pki}/ca.crt" --cert "${etcd_pki}/healthcheck-client.crt" \
    --key "${etcd_pki}/healthcheck-client.key" --dial-timeout 3s "$@"
}

# The first answer of a member of any slot but $1 (- for none); this slot's own is asked first.
etcd_ask() {
  local without=$1 slot said
  shift
  said=''
  for slot in "${SLOT}" $(etcd_slots | grep -vx "${SLOT}"); do
    [ "${slot}" != "${without}" ] || continue
    if said=$(etcd_ctl --endpoints "$(etcd_client_url "${slot}")" --command-timeout 5s "$@" 2>&1); then
      printf '%s\n' "${said}"
      return
    fi
  done
  printf '%s\n' "${said}" >&2
  return 1
}

# A member a line: ID STATE NAME LEARNER PEER. NAME is - until the member has started.
etcd_members() {
  local list
  list=$(etcd_ask "$1" member list --write-out simple) || return 1
  awk -F', ' '{ print $1, $2, ($3 == "" ? "-" : $3), $6, $4 }' <<< "${list}"
}

# The line of a slot's member, found by its address: a member that never started has no name.
etcd_member_of() {
  local slot=$1 peer
  peer=$(etcd_peer_url "${slot}")
  awk -v peer="${peer}" '$5 == peer' <<< "$2"
}

# The value of a field of etcdctl's and etcdutl's `--write-out fields`.
etcd_field() { sed -n "s/^\"$1\" : \"\{0,1\}\([^\"]*\)\"\{0,1\}\$/\1/p" <<< "$2" | head -n 1; }

# What the member of a slot says of itself; fails when it doesn't answer.
etcd_status_of() {
  etcd_ctl --endpoints "$(etcd_client_url "$1")" --command-timeout 3s endpoint status --write-out fields 2> /dev/null
}

# Whether the member of a slot serves requests, which takes a leader.
etcd_serves() {
  etcd_ctl --endpoints "$(etcd_client_url "$1")" --command-timeout 5s endpoint health > /dev/null 2>&1
}

# --- static pods ----------------------------------------------------------------------------------

etcd_running() {
  crictl --runtime-endpoint unix:///run/containerd/containerd.sock ps --quiet --name "^(etcd|kube-apiserver)\$"
}

# Containers end some time after their manifest is gone: the API server finishes requests first.
etcd_await_end() {
  local left=${ETCD_STOP_SECONDS:-180} running
  while true; do
    running=$(etcd_running) || etcd_die "stop etcd and the API server: crictl does not say what runs; is containerd up? then run this again"
    [ -n "${running}" ] || return 0
    [ "${left}" -gt 0 ] || etcd_die "stop etcd and the API server: their containers still run; look with: crictl ps; then run this again"
    sleep 1
    left=$((left - 1))
  done
}

# Takes the pods' manifests away from the kubelet and waits until etcd and the API server have ended.
etcd_stop() {
  local pod
  mkdir -p "${etcd_stopped}"
  for pod in "${etcd_pods[@]}"; do
    [ ! -e "${etcd_manifests}/${pod}.yaml" ] || mv "${etcd_manifests}/${pod}.yaml" "${etcd_stopped}/${pod}.yaml"
  done
  etcd_await_end
}

# Gives the manifests back, etcd's first. One that was written meanwhile is newer and stays.
etcd_start() {
  local at pod
  mkdir -p "${etcd_manifests}"
  for ((at = ${#etcd_pods[@]} - 1; at >= 0; at--)); do
    pod=${etcd_pods[at]}
    [ -e "${etcd_stopped}/${pod}.yaml" ] || continue
    if [ -e "${etcd_manifests}/${pod}.yaml" ]; then
      rm "${etcd_stopped}/${pod}.yaml"
    else
      mv "${etcd_stopped}/${pod}.yaml" "${etcd_manifests}/${pod}.yaml"
    fi
  done
}

# A slot that never came to the point of starting etcd, as its disk was empty or a restore was under way,
# boots again; what boot says stands in the journal.
etcd_boot_unless_started() {
  [ ! -e "${etcd_manifests}/etcd.yaml" ] || return 0
  etcd_say 'this slot never started etcd: it boots again; watch with: journalctl --follow --unit kube-cfn-boot-again'
  systemd-run --collect --unit kube-cfn-boot-again "${etcd_root}/opt/kube-cfn/boot" >&2
}

# Sets a flag in etcd's stopped manifest, so that it says what the member is now.
etcd_set_flag() {
  local file="${etcd_stopped}/etcd.yaml"
  [ -e "${file}" ] || return 0
  sed "s|\(- --$1=\).*|\1$2|" "${file}" > "${file}.draft"
  mv "${file}.draft" "${file}"
}

# Moves the data directory aside under a name, never over another one. Nothing here deletes data.
etcd_set_aside() {
  local to="${etcd_aside}/$1" number=1
  [ -e "${etcd_data}" ] || return 0
  mkdir -p "${etcd_aside}"
  while [ -e "${to}" ]; do
    number=$((number + 1))
    to="${etcd_aside}/$1-${number}"
  done
  mv "${etcd_data}" "${to}"
  etcd_say "the old data is kept in ${to}"
}
