# shellcheck shell=bash disable=SC2034
# Sourced: the pods and containers of a machine, and the kubelet that keeps them, as far as static pods go.
#
# A sandbox is a file ROOT/run/pods/ID.pod, a container ID.container, both lines of shell. Time passes only
# with `sleep`: each look at the pods or at the API lets the kubelet catch up first.
#
# What the kubelet does is pkg/kubelet of kubernetes/kubernetes v1.34 to v1.36, and was seen with a real one:
# - A static pod's uid is the hash of its manifest (pkg/kubelet/config/common.go, applyDefaults).
# - It stops a pod only after it has seen its API server since its own start: deletePod returns "skipping
#   delete because sources aren't ready yet" (kubelet.go). Until then a pod whose manifest is gone goes on,
#   its crashed containers are started again, and the pod of a changed manifest waits for the old one
#   (pod_workers.go, allowStaticPodStart).
# - That memory ends with its process: after a restart a changed manifest's pod starts at once.
# - Containers outlive it (KillMode=process in its unit), and nobody starts them again meanwhile.
# - A crashed container is started again at once, then after 10 s, 20 s, ... 300 s (MaxContainerBackOff).

PODS="${ROOT}/run/pods"
KUBELET="${ROOT}/run/kubelet"

# A new id in ID: as containerd's, 64 hexadecimal digits.
new_id() {
  local last=0
  [ ! -e "${PODS}/last" ] || read -r last < "${PODS}/last"
  printf '%d\n' "$((last + 1))" > "${PODS}/last"
  printf -v ID '%064x' "$((last + 1))"
}

# On a machine with a real systemd these are processes; here nothing runs, and etcd has data once it was started.
run_container() { [ "${NAME}" != etcd ] || mkdir -p "${ROOT}/var/lib/etcd/data/member"; }
end_container() { :; }
container_text() { printf '%s' "${LOG}"; }

save_pod() {
  printf 'POD_NAME=%q POD_UID=%q POD_STATE=%q POD_ATTEMPT=%q POD_CREATED=%q POD_LABELS=%q\n' "${POD_NAME}" "${POD_UID}" \
    "${POD_STATE}" "${POD_ATTEMPT}" "${POD_CREATED}" "${POD_LABELS}" > "${PODS}/$1.pod"
}

save_container() {
  printf 'OF=%q NAME=%q STATE=%q ATTEMPT=%q IMAGE=%q CREATED=%q EXIT=%q LOG=%q\n' "${OF}" "${NAME}" "${STATE}" "${ATTEMPT}" \
    "${IMAGE}" "${CREATED}" "${EXIT}" "${LOG}" > "${PODS}/$1.container"
}

# ids KIND: the ids of all `pod` or `container`, newest first, in IDS.
ids() {
  local file at
  local -a found=()
  for file in "${PODS}"/*."$1"; do
    [ ! -e "${file}" ] || { file="${file##*/}" && found+=("${file%.*}"); }
  done
  IDS=()
  for ((at = ${#found[@]} - 1; at >= 0; at--)); do
    IDS+=("${found[at]}")
  done
}

# shellcheck source=/dev/null
load_pod() { . "${PODS}/$1.pod"; }
# shellcheck source=/dev/null
load_container() { . "${PODS}/$1.container"; }

# Whether a container of that name runs.
runs() {
  local id
  local -a IDS
  ids container
  for id in "${IDS[@]}"; do
    load_container "${id}"
    [ "${NAME}" != "$1" ] || [ "${STATE}" != running ] || return 0
  done
  return 1
}

# stop_pod ID: its containers end as asked to, its sandbox with them.
stop_pod() {
  local pod="$1" id
  local -a IDS
  ids container
  for id in "${IDS[@]}"; do
    load_container "${id}"
    [ "${OF}" = "${pod}" ] && [ "${STATE}" = running ] || continue
    end_container "${id}" 30
    STATE=exited EXIT=0
    save_container "${id}"
  done
  load_pod "${pod}"
  POD_STATE=notready
  save_pod "${pod}"
}

# --- the API server -------------------------------------------------------------------------------

# Whether the API answers. On the control plane that is this machine's own; a worker's is somewhere else.
api_answers() {
  local code=''
  if [ -e "${ROOT}/etc/kubernetes/manifests" ]; then
    runs kube-apiserver && runs etcd || return 1
    read -r code < "${ROOT}/srv/readyz" || true
    [ "${code}" = 200 ]
  else
    [ ! -e "${ROOT}/srv/api-is-away" ]
  fi
}

# The node as it registers: labels and taints are the kubelet's only then.
register_node() {
  local node="${ROOT}/srv/cluster/nodes/${KUBELET_NODE}"
  [ ! -e "${node}" ] || return 0
  mkdir -p "${node%/*}"
  printf 'address %s\n%s%s' "${KUBELET_ADDRESS}" "${KUBELET_LABELS}" "${KUBELET_TAINTS}" > "${node}"
  [ ! -e "${KUBELET}/static-pods" ] || printf '%s %s\n' "${KUBELET_NODE}" "${KUBELET_ADDRESS}" >> "${ROOT}/srv/nodes"
}

# --- the kubelet ----------------------------------------------------------------------------------

# What a manifest says in M_NAME, M_UID, M_LABELS, M_CONTAINER, M_IMAGE, M_COMMAND and M_PATHS; fails where it is no
# whole pod. Kept beside the text that it was found in.
read_manifest() {
  local kept="${ROOT}/srv/cache/pod-${1##*/}" M_TEXT=''
  text_of "$1"
  # shellcheck source=/dev/null
  [ ! -e "${kept}" ] || . "${kept}"
  [ "${M_TEXT}" != "${TEXT}" ] || return 0
  parse_manifest "$1" || return 1
  M_UID="$(sha256sum < "$1")"
  M_UID="${M_UID:0:32}"
  {
    printf 'M_TEXT=%q ' "${TEXT}"
    print_manifest
  } > "${kept}"
}

print_manifest() {
  printf 'M_NAME=%q M_UID=%q M_LABELS=%q M_CONTAINER=%q M_IMAGE=%q M_PATHS=(' "${M_NAME}" "${M_UID}" "${M_LABELS}" \
    "${M_CONTAINER}" "${M_IMAGE}"
  [ "${#M_PATHS[@]}" -eq 0 ] || printf '%q ' "${M_PATHS[@]}"
  printf ') M_COMMAND=('
  printf '%q ' "${M_COMMAND[@]}"
  echo ')'
}

parse_manifest() {
  local line part=''
  M_NAME='' M_LABELS='' M_CONTAINER='' M_IMAGE='' M_PATHS=() M_COMMAND=()
  while IFS= read -r line; do
    case "${line}" in
      '  labels:') part=labels ;;
      '  containers:') part=container ;;
      '    '*': '*) [ "${part}" != labels ] || { line="${line#    }" && M_LABELS+="${line/: /=}"$'\n'; } ;;&
      '    name: '*) [ "${part}" != container ] || M_CONTAINER="${line#    name: }" ;;
      '    image: '*) M_IMAGE="${line#    image: }" ;;
      '    - '*) M_COMMAND+=("${line#    - }") ;;&
      '    - --'*'=/etc/'*) M_PATHS+=("${line#*=}") ;;
      '  name: '*) M_NAME="${line#  name: }" part='' ;;
      'status: {}') part=whole ;;
    esac
  done < "$1"
  [ "${part}" = whole ] && [ -n "${M_NAME}" ] && [ -n "${M_IMAGE}" ]
}

# Lets time pass for the kubelet: nothing happens while it does not run.
kubelet_sync() {
  local file id
  local -A wanted=()
  [ -e "${KUBELET}/active" ] || return 0
  # shellcheck source=/dev/null
  . "${KUBELET}/active"
  now
  if [ ! -e "${KUBELET}/seen" ] && api_answers; then
    kubelet_certificate || return 0
    : > "${KUBELET}/seen"
    register_node
  fi
  [ -e "${KUBELET}/static-pods" ] || return 0
  for file in "${KUBELET_MANIFESTS}"/*; do
    [ -f "${file}" ] || continue
    if read_manifest "${file}"; then
      wanted["${M_NAME}"]="${M_UID}"
      sync_pod
    else
      journal kubelet "E \"Can't process manifest file\" path=\"${file}\""
    fi
  done
  end_unwanted
}

# Brings the pod of the manifest that was read up, unless another one of its name is in the way.
sync_pod() {
  local started=''
  [ ! -e "${KUBELET}/started-${M_NAME}" ] || read -r started < "${KUBELET}/started-${M_NAME}"
  if [ -n "${started}" ] && [ "${started}" != "${M_UID}" ]; then
    [ -e "${KUBELET}/seen" ] || return 0
    end_pods "${M_NAME}" "${started}"
  fi
  if [ "${started}" != "${M_UID}" ]; then
    printf '%s\n' "${M_UID}" > "${KUBELET}/started-${M_NAME}"
    print_manifest > "${KUBELET}/pod-${M_NAME}"
  fi
  bring_up
}

# Stops the ready pods of that name, or of that name and uid.
end_pods() {
  local id
  local -a IDS
  ids pod
  for id in "${IDS[@]}"; do
    load_pod "${id}"
    [ "${POD_NAME}" != "$1" ] || [ "${POD_STATE}" != ready ] || [ "${2:-${POD_UID}}" != "${POD_UID}" ] || stop_pod "${id}"
  done
}

# Pods without a manifest: they end once the API was seen; until then those that this kubelet started go on.
end_unwanted() {
  local file id
  if [ -e "${KUBELET}/seen" ]; then
    ids pod
    for id in "${IDS[@]}"; do
      load_pod "${id}"
      [ "${POD_STATE}" = ready ] && [ "${wanted[${POD_NAME}]:-}" != "${POD_UID}" ] || continue
      [ -n "${wanted[${POD_NAME}]:-}" ] || rm -f "${KUBELET}/started-${POD_NAME}" "${KUBELET}/pod-${POD_NAME}"
      stop_pod "${id}"
    done
    return
  fi
  for file in "${KUBELET}"/pod-*; do
    [ -e "${file}" ] && [ -z "${wanted[${file##*/pod-}]:-}" ] || continue
    # shellcheck source=/dev/null
    . "${file}"
    bring_up
  done
}

# A ready sandbox for the pod in M_*, and its container running, or waiting for its turn.
bring_up() {
  local pod='' attempt=0 id
  ids pod
  for id in "${IDS[@]}"; do
    load_pod "${id}"
    [ "${POD_NAME}" = "${M_NAME}" ] && [ "${POD_UID}" = "${M_UID}" ] || continue
    attempt=$((attempt + 1))
    [ "${POD_STATE}" != ready ] || pod="${id}"
  done
  if [ -z "${pod}" ]; then
    new_id
    pod="${ID}" POD_NAME="${M_NAME}" POD_UID="${M_UID}" POD_STATE=ready POD_ATTEMPT="${attempt}"
    POD_CREATED="${NOW}" POD_LABELS="${M_LABELS}"
    save_pod "${pod}"
  fi
  ids container
  for id in "${IDS[@]}"; do
    load_container "${id}"
    [ "${OF}" = "${pod}" ] || continue
    [ "${STATE}" != running ] || return 0
    may_restart || return 0
    start_container "${pod}" "$((ATTEMPT + 1))"
    return
  done
  start_container "${pod}" 0
}

# Whether the back-off of the pod in M_* is over; the next one is longer.
may_restart() {
  local until=0 delay=10 file="${KUBELET}/backoff-${M_UID}"
  [ ! -e "${file}" ] || read -r until delay < "${file}"
  ((NOW >= until)) || return 1
  printf '%d %d\n' "$((NOW + delay))" "$((delay * 2 > 300 ? 300 : delay * 2))" > "${file}"
}

# start_container POD ATTEMPT: one that misses a file that its flags name ends at once, as does one whose
# ports another one of its name has (they use the machine's network), and one that ROOT/srv/crash says so of,
# whose text it logs before.
start_container() {
  local path taken=no
  ! runs "${M_CONTAINER}" || taken=yes
  OF="$1" NAME="${M_CONTAINER}" STATE=running ATTEMPT="$2" IMAGE="${M_IMAGE}" CREATED="${NOW}" EXIT=0 LOG=''
  : > "${ROOT}/srv/images/${IMAGE//\//_}"
  for path in "${M_PATHS[@]}"; do
    [ -e "${ROOT}${path}" ] || { STATE=exited EXIT=1 LOG="open ${path}: no such file or directory" && break; }
  done
  [ "${taken}" = no ] || STATE=exited EXIT=1 LOG='listen tcp: bind: address already in use'
  if [ "${STATE}" = running ] && [ -e "${ROOT}/srv/crash/${NAME}" ]; then
    text_of "${ROOT}/srv/crash/${NAME}"
    STATE=exited EXIT=1 LOG="${TEXT%$'\n'}"
  fi
  new_id
  [ "${STATE}" != running ] || run_container "${ID}" || STATE=exited EXIT=1
  save_container "${ID}"
}
