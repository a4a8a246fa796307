# shellcheck shell=bash disable=SC2034,SC2153,SC2154 # the stand-ins set them, and use these
# Sourced after the stand-ins of tests/node, on a machine with a real systemd: time is the system's, containers are
# processes, the API is a server.

now() { NOW=${EPOCHSECONDS}; }

journal() { printf '%s\n' "$2" >&2; }

# --- one at a time: the files of the pods have several readers and writers -------------------------

LOCKED=no
lock() {
  mkdir -p "${PODS}"
  exec 7> /run/pods.lock
  flock 7
  LOCKED=yes
}

# crictl as a whole.
locked() {
  lock
  main "$@"
}

if declare -F kubelet_sync > /dev/null; then
  eval "sync_once() $(declare -f kubelet_sync | tail --lines +2)"
  kubelet_sync() {
    [ "${LOCKED}" = yes ] || { (lock && sync_once); return; }
    sync_once
  }
fi

# --- containers: units of systemd, as those of containerd are scopes --------------------------------

# The process of a container, or nothing when it has ended.
container_process() {
  local pid
  pid=$(systemctl show --property MainPID --value "cri-containerd-$1.service") && [ "${pid}" != 0 ] && printf '%s\n' "${pid}"
}

load_container() {
  # shellcheck source=/dev/null
  . "${PODS}/$1.container"
  [ "${STATE}" = running ] || return 0
  # Its control group is there as long as a process of it; asking systemd would take ten times as long, each half second.
  [ ! -e "/sys/fs/cgroup/kubepods.slice/cri-containerd-$1.service" ] || return 0
  STATE=exited EXIT=1
  save_container "$1"
}

# run_container ID: the command of the manifest in M_*.
run_container() {
  local id=$1
  systemd-run --quiet --collect --unit "cri-containerd-${id}" --slice kubepods.slice --property KillMode=mixed \
    --property "StandardOutput=append:${PODS}/${id}.log" --property "StandardError=append:${PODS}/${id}.log" \
    --property TimeoutStopSec=30 /usr/local/lib/machine/container "${M_COMMAND[@]}" 7>&-
}

# end_container ID SECONDS: SIGTERM, and SIGKILL after that time.
end_container() {
  local unit="cri-containerd-$1.service"
  timeout "$(($2 + 1))" systemctl stop "${unit}" 7>&- && return 0
  systemctl kill --signal SIGKILL "${unit}" 7>&- || true
  systemctl stop "${unit}" 7>&- || true
}

container_text() { tail --lines 100 "${PODS}/$1.log" 2> /dev/null || true; }

# --- the API ----------------------------------------------------------------------------------------

# The server of this node's kubeconfig; on the control plane this machine's own.
api_server() {
  if [ -e /etc/kubernetes/manifests ]; then
    echo https://127.0.0.1:6443
  else
    sed -n 's/^ *server: //p' /etc/kubernetes/kubelet.conf
  fi
}

api_answers() {
  [ "$(curl --silent --max-time 3 --cacert /etc/kubernetes/pki/ca.crt --output /dev/null --write-out '%{http_code}' "$(api_server)/readyz")" = 200 ]
}

# own_node VERB ARGUMENT...: a call as this node.
own_node() {
  kubectl --kubeconfig /etc/kubernetes/kubelet.conf --request-timeout=10s "$@" 7>&-
}

# The Node as a kubelet registers it; one that is there is only marked as ready.
register_node() {
  local labels taints version
  # shellcheck source=/dev/null
  version=$(. /etc/kube-cfn/node.env && echo "v${NODE_KUBERNETES#v}")
  labels=$(sed -n 's/^label //p' <<< "${KUBELET_LABELS}")
  taints=$(sed -n 's/^taint //p' <<< "${KUBELET_TAINTS}")
  own_node get node "${KUBELET_NODE}" > /dev/null 2>&1 || jq -n --arg name "${KUBELET_NODE}" --arg address "${KUBELET_ADDRESS}" \
    --arg labels "${labels}" --arg taints "${taints}" --arg version "${version}" '
      def lines: split("\n") | map(select(. != ""));
      {apiVersion: "v1", kind: "Node", metadata: {name: $name, labels: ($labels | lines | map(split("=") | {(.[0]): .[1]}) | add // {})},
       spec: {taints: ($taints | lines | map(capture("^(?<key>[^=]*)=(?<value>[^:]*):(?<effect>.*)$") | with_entries(select(.value != ""))))},
       status: {addresses: [{type: "InternalIP", address: $address}], nodeInfo: {kubeletVersion: $version},
         conditions: [{type: "Ready", status: "True"}]}}' | own_node create --filename - > /dev/null
}

# On the control plane the first certificate is kubeadm's, and the API signs another one for it, which is at once.
client_certificate() {
  local key
  key=$(openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 2> /dev/null)
  mkdir -p "${1%/*}"
  {
    openssl req -new -key /dev/stdin -subj "/O=system:nodes/CN=system:node:${KUBELET_NODE}" <<< "${key}" 2> /dev/null \
      | openssl x509 -req -CA /etc/kubernetes/pki/ca.crt -CAkey /etc/kubernetes/pki/ca.key -days 365 -set_serial "0x$(openssl rand -hex 8)" 2> /dev/null
    printf '%s\n' "${key}"
  } > "$1.new"
  mv "$1.new" "$1"
}

# --- the process ------------------------------------------------------------------------------------

# Its end ends no container (KillMode=process), and what it knew of pods ends with it.
run_kubelet() {
  rm -rf "${KUBELET}"
  trap 'rm -rf "${KUBELET}"; exit 0' TERM
  mkdir -p "${PODS}"
  start_kubelet "$@"
  [ -e "${KUBELET}/active" ] || exit 1
  while true; do
    sleep 0.5 &
    wait $!
    kubelet_sync
  done
}
