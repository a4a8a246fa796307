# shellcheck shell=bash disable=SC2154 # etcd-members.sh sets the paths
# Stops and starts the static pods of the control plane. Sourced by boot and by the programs for etcd, after
# etcd-members.sh; does nothing by itself. These functions report errors on stderr, and fail.
#
# A kubelet that has not reached its API server since its own start never stops a static pod, and restarts a crashed one
# even when its manifest is gone. So the kubelet is always stopped first; containers keep running without it.

etcd_manifests="${etcd_root}/etc/kubernetes/manifests"
etcd_stopped="${etcd_root}/etc/kubernetes/manifests-stopped"
# On the volume: data that is set aside moves with the slot to its next machine.
etcd_aside="${etcd_home}/aside"
# The API server first: it must not write to an etcd that is about to be another one.
etcd_pods=(kube-apiserver kube-controller-manager kube-scheduler etcd)

etcd_crictl() { crictl --runtime-endpoint unix:///run/containerd/containerd.sock --timeout 30s "$@"; }

# Whether systemd runs a unit, starts it, or is about to start it again.
etcd_unit_is_up() {
  local state
  state=$(systemctl show --property ActiveState --value "$1") || return 0
  [ "${state}" != inactive ] && [ "${state}" != failed ]
}

etcd_stop_unit() {
  systemctl stop "$1" >&2 || true
  ! etcd_unit_is_up "$1" || { echo "stop $1: systemd still runs it; see: systemctl status $1" >&2; return 1; }
}

# etcd_sandboxes [HASH]: the sandboxes of the four pods, one a line: COMPONENT ID. With HASH only those of manifests with
# that hash. More than one of a component while an old one is still there.
etcd_sandboxes() {
  local found
  found=$(etcd_crictl pods --namespace '^kube-system$' --label tier=control-plane --output json) || return 1
  jq --raw-output --arg hash "${1:-}" --args '.items[] | .labels.component as $component
    | select(($ARGS.positional | index($component)) and ($hash == "" or .annotations["kubernetes.io/config.hash"] == $hash))
    | "\($component) \(.id)"' "${etcd_pods[@]}" <<< "${found}"
}

# etcd_stop_containers COMPONENT SANDBOXES: SIGTERM, and SIGKILL after a while; SANDBOXES as etcd_sandboxes prints them.
etcd_stop_containers() {
  local component sandbox containers
  while read -r component sandbox; do
    [ "${component}" = "$1" ] || continue
    containers=$(etcd_crictl ps --pod "${sandbox}" --quiet) || return 1
    # shellcheck disable=SC2086 # several ids
    [ -z "${containers}" ] || etcd_crictl stop --timeout "${ETCD_STOP_SECONDS:-60}" ${containers} >&2 || return 1
  done <<< "$2"
}

# etcd_remove_pods SANDBOXES: stops the containers in the pods' order, then removes the sandboxes.
etcd_remove_pods() {
  local pod sandbox
  for pod in "${etcd_pods[@]}"; do etcd_stop_containers "${pod}" "$1" || return 1; done
  while read -r _ sandbox; do etcd_crictl rmp --force "${sandbox}" >&2 || return 1; done <<< "$1"
}

# Stops the kubelet, then the four pods with all their sandboxes, and repeats until none appears any more: a sandbox that
# the kubelet was about to make can appear after the kubelet has ended. The manifests are kept in another directory until
# etcd_return_manifests. May be repeated; needs nothing but systemd and containerd.
etcd_stop_pods() {
  local pod left rounds=0 clean=0
  etcd_stop_unit kubelet.service || return 1
  mkdir -p "${etcd_stopped}"
  for pod in "${etcd_pods[@]}"; do
    [ ! -e "${etcd_manifests}/${pod}.yaml" ] || mv "${etcd_manifests}/${pod}.yaml" "${etcd_stopped}/${pod}.yaml" || return 1
  done
  while [ "${clean}" -lt 3 ]; do
    rounds=$((rounds + 1)) clean=$((clean + 1))
    left=$(etcd_sandboxes) || { echo 'stop etcd and the API server: crictl does not answer; is containerd up? then run this again' >&2; return 1; }
    # What crictl refuses now is found again in the next round.
    [ -z "${left}" ] || { clean=0; etcd_remove_pods "${left}" || true; }
    [ "${rounds}" -le 20 ] || { echo 'stop etcd and the API server: they are still there; look with: crictl pods; then run this again' >&2; return 1; }
    sleep "${ETCD_LOOK_PAUSE:-0.5}"
  done
  ! etcd_unit_is_up kubelet.service || { echo 'stop the kubelet: something started it again; see: systemctl status kubelet' >&2; return 1; }
}

# Moves the manifests back, etcd's first. One that was written meanwhile is newer and stays.
etcd_return_manifests() {
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

# Sets a flag in etcd's stopped manifest, so that it matches the member's new state.
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
  mkdir -p "${etcd_aside}" || return 1
  while [ -e "${to}" ]; do
    number=$((number + 1))
    to="${etcd_aside}/$1-${number}"
  done
  mv "${etcd_data}" "${to}" || return 1
  echo "the old data is kept in ${to}" >&2
}
