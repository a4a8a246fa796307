# shellcheck shell=bash disable=SC2154 # etcd-members.sh sets the places
# Stops and starts the static pods of the control plane. Sourced by boot and by the programs for etcd, after
# etcd-members.sh; does nothing by itself. These functions say on stderr what is wrong, and fail.
#
# A kubelet that has not reached its API server since its own start never stops a static pod, and starts a crashed one
# again whatever lies in the manifests' directory. So the kubelet is stopped first, always; containers go on without it.

etcd_manifests="${etcd_root}/etc/kubernetes/manifests"
etcd_stopped="${etcd_root}/etc/kubernetes/manifests-stopped"
# On the volume: what is set aside moves with the slot to its next machine.
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

# The sandboxes of the four pods, one a line: COMPONENT ID. More than one of a component while an old one is still there.
etcd_sandboxes() {
  local found
  found=$(etcd_crictl pods --namespace '^kube-system$' --label tier=control-plane --output json) || return 1
  jq --raw-output --args '.items[] | .labels.component as $component
    | select($ARGS.positional | index($component)) | "\($component) \(.id)"' "${etcd_pods[@]}" <<< "${found}"
}

# etcd_end_containers COMPONENT SANDBOXES: SIGTERM, and SIGKILL after a while; SANDBOXES as etcd_sandboxes prints them.
etcd_end_containers() {
  local component sandbox containers
  while read -r component sandbox; do
    [ "${component}" = "$1" ] || continue
    containers=$(etcd_crictl ps --pod "${sandbox}" --quiet) || return 1
    # shellcheck disable=SC2086 # several ids
    [ -z "${containers}" ] || etcd_crictl stop --timeout "${ETCD_STOP_SECONDS:-60}" ${containers} >&2 || return 1
  done <<< "$2"
}

# etcd_end_pods SANDBOXES: ends the containers in the pods' order, then removes what is left.
etcd_end_pods() {
  local pod sandbox
  for pod in "${etcd_pods[@]}"; do etcd_end_containers "${pod}" "$1" || return 1; done
  while read -r _ sandbox; do etcd_crictl rmp --force "${sandbox}" >&2 || return 1; done <<< "$1"
}

# Stops the kubelet, then the four pods with all that is left of them, and looks until nothing comes back: a sandbox that
# the kubelet was about to make appears after its end. The manifests stay out of the kubelet's sight until
# etcd_return_manifests. May be repeated; needs nothing but systemd and containerd.
etcd_stop_pods() {
  local pod left looks=0 clean=0
  etcd_stop_unit kubelet.service || return 1
  mkdir -p "${etcd_stopped}"
  for pod in "${etcd_pods[@]}"; do
    [ ! -e "${etcd_manifests}/${pod}.yaml" ] || mv "${etcd_manifests}/${pod}.yaml" "${etcd_stopped}/${pod}.yaml" || return 1
  done
  while [ "${clean}" -lt 3 ]; do
    looks=$((looks + 1)) clean=$((clean + 1))
    left=$(etcd_sandboxes) || { echo 'stop etcd and the API server: crictl does not say what runs; is containerd up? then run this again' >&2; return 1; }
    # What crictl refuses now, the next look finds again.
    [ -z "${left}" ] || { clean=0; etcd_end_pods "${left}" || true; }
    [ "${looks}" -le 20 ] || { echo 'stop etcd and the API server: they are still there; look with: crictl pods; then run this again' >&2; return 1; }
    sleep "${ETCD_LOOK_PAUSE:-0.5}"
  done
  ! etcd_unit_is_up kubelet.service || { echo 'stop the kubelet: something started it again; see: systemctl status kubelet' >&2; return 1; }
}

# Gives the manifests back, etcd's first. One that was written meanwhile is newer and stays.
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
  mkdir -p "${etcd_aside}" || return 1
  while [ -e "${to}" ]; do
    number=$((number + 1))
    to="${etcd_aside}/$1-${number}"
  done
  mv "${etcd_data}" "${to}" || return 1
  echo "the old data is kept in ${to}" >&2
}
