# shellcheck shell=bash disable=SC2153
# Boots a control-plane node: a slot, which is a fixed address and an etcd volume in one zone. Every step is the same on
# the first boot, on any later one, and on the machine that takes the slot over. kubeadm only writes files, it never
# joins anything.

PKI=/etc/kubernetes/pki
# kubeadm's input with this machine's values, and the part that is the same on all machines.
OWN_CONFIG=/etc/kube-cfn/kubeadm/config.yaml
SHARED_CONFIG=/etc/kube-cfn/kubeadm/shared.yaml
INPUTS=/var/lib/kube-cfn/kubeadm-inputs
# Where new certificates are made.
STAGE=/etc/kubernetes/new
PODS=/var/lib/kube-cfn/static-pods

check_slot() {
  local want
  want="$(etcd_slot_address "${SLOT}")" || fail "boot as control-plane node '${SLOT}': the bundle has ${NODE_SLOTS}"
  [ "${ADDRESS}" = "${want}" ] \
    || fail "boot as control-plane node ${SLOT}: its address is ${want}, this machine has ${ADDRESS}; is its interface attached?"
}

# fetch_secret NAME PATH MODE [BLOCK]: writes a parameter into a file; BLOCK selects PEM blocks by their name.
fetch_secret() {
  local value
  [ ! -s "$2" ] || return 0
  value="$(ec2_parameter "$1")" || CODE=parameter fail "read the parameter $1: it is missing or denied; it is made before any machine starts by: kube-cfn apply ${NODE_CLUSTER}"
  [ -z "${4:-}" ] || value="$(sed -n "/-----BEGIN $4-----/,/-----END $4-----/p" <<< "${value}")"
  [ -n "${value}" ] || CODE=parameter fail "read the parameter $1: it holds no ${4:-text}"
  put "$2" "$3" <<< "${value}"
}

# One parameter holds an authority's key and certificate, so that they always belong together.
fetch_authorities() {
  local name
  for name in ca etcd-ca front-proxy-ca; do
    fetch_secret "cp/${name}.key" "${PKI}/${name/etcd-/etcd/}.key" 600 'PRIVATE KEY'
    fetch_secret "cp/${name}.key" "${PKI}/${name/etcd-/etcd/}.crt" 644 CERTIFICATE
  done
  fetch_secret cp/sa.key "${PKI}/sa.key" 600
  fetch_secret cp/sa.pub "${PKI}/sa.pub" 600
  fetch_secret cp/encryption.yaml /etc/kube-cfn/apiserver/encryption.yaml 600
}

write_kubeadm_config() {
  local text
  text="$(fill /etc/kube-cfn/kubeadm/config.yaml.in)"
  put "${OWN_CONFIG}" 600 <<< "${text}"
  text="$(fill /etc/kube-cfn/kubeadm/shared.yaml.in)"
  put "${SHARED_CONFIG}" 600 <<< "${text}"
  kubeadm config validate --config "${OWN_CONFIG}" || fail "use ${OWN_CONFIG}: kubeadm refuses it, see the lines above"
  kubeadm config validate --config "${SHARED_CONFIG}" || fail "use ${SHARED_CONFIG}: kubeadm refuses it, see the lines above"
}

pull_images() {
  local image images
  images="$(kubeadm config images list --config "${OWN_CONFIG}")" || fail 'list the images of the control plane: kubeadm failed'
  for image in ${images}; do
    crictl inspecti --quiet "${image}" > /dev/null 2>&1 || attempt 5 10 crictl pull "${image}" \
      || CODE=image-pull fail "pull ${image}: five attempts failed; can this machine reach the registry?"
  done
}

# Whether the certificates and kubeconfigs were made of these inputs, and none of them ends soon or can't be read.
certificates_are_current() {
  local names
  [ "$(cat "${INPUTS}" 2> /dev/null || true)" = "$1" ] || return 1
  # local-admin.conf is written at every boot.
  names="$(certificates_ending | { grep -vx local-admin.conf || true; } | paste --serial --delimiters ' ')"
  [ -n "${names}" ] || return 0
  say "make new certificates; ends soon or can't be read: ${names}"
  return 1
}

phase() {
  # shellcheck disable=SC2086 # a phase is one or two words
  kubeadm init phase $1 --config "$2" || fail "run kubeadm's phase '$1': see the lines above"
}

write_kubernetes_files() {
  local inputs part local_admin
  inputs="$(cat "${SHARED_CONFIG}" "${PKI}/ca.crt" "${PKI}/etcd/ca.crt" "${PKI}/front-proxy-ca.crt" | sha256sum | cut -d ' ' -f 1)"
  certificates_are_current "${inputs}" || make_certificates "${STAGE}"
  # kubeadm keeps what is there, and fails if something does not fit.
  for part in 'certs all' 'kubeconfig all'; do
    phase "${part}" "${OWN_CONFIG}"
  done
  sync
  put "${INPUTS}" 644 <<< "${inputs}"
  local_admin="$(sed 's#server: .*#server: https://127.0.0.1:6443#' /etc/kubernetes/super-admin.conf)"
  put /etc/kube-cfn/local-admin.conf 600 <<< "${local_admin}"
  etcd_prepare_member || CODE="$(etcd_code)" fail "${etcd_error:?}"
  for part in 'etcd local' 'control-plane all' kubelet-start; do
    phase "${part}" "${OWN_CONFIG}"
  done
  chmod 0600 /var/lib/kubelet/config.yaml
}

# The hash of the static pod that runs now; nothing while none is ready.
static_pod_hash() {
  crictl pods --label "component=$1" --state ready --output json \
    | jq -r '.items[0].annotations["kubernetes.io/config.hash"] // empty'
}

static_pod_is_new() {
  local hash
  hash="$(static_pod_hash "$1")"
  [ -n "${hash}" ] && [ "${hash}" != "$2" ]
}

# stop_old_pods COMPONENT HASH: a kubelet that has not reached its API server since it started never stops a static pod,
# not even when its manifest has changed: the old one would keep the ports of the new one.
stop_old_pods() {
  local old sandbox
  [ -n "$2" ] || return 0
  old="$(etcd_sandboxes "$2")" || fail "find the old pod of $1: crictl does not answer; see journalctl -u containerd"
  ETCD_STOP_SECONDS=25 etcd_stop_containers "$1" "${old}" || say "a container of the old pod of $1 did not end by itself"
  while read -r _ sandbox; do
    [ -z "${sandbox}" ] || attempt 3 5 crictl stopp "${sandbox}" || fail "stop the old pod of $1: see the lines above"
  done <<< "${old}"
}

# Whether the component answers that it is healthy. Controller manager and scheduler show certificates that they sign
# themselves.
static_pod_serves() {
  local port=10257
  case "$1" in
    etcd) etcd_serves "${SLOT}" || { fail_on_lost_data && false; } ;;
    kube-apiserver) api_is_ready ;;
    *)
      [ "$1" = kube-controller-manager ] || port=10259
      curl --silent --fail --insecure --max-time 5 --output /dev/null "https://127.0.0.1:${port}/healthz"
      ;;
  esac
}

# Without a majority etcd has no leader: waits as long as the slowest machine needs to start.
wait_until_healthy() {
  attempt 120 5 static_pod_serves "$1" && return 0
  end_of 5 container_log "$1"
  # Without a majority the API server is not ready either.
  if [ "$1" = etcd ] || ! etcd_serves "${SLOT}"; then
    CODE=etcd-quorum fail "wait for etcd: it is not healthy after ten minutes; see crictl ps --all, crictl logs, and whether a majority of the control-plane nodes runs"
  fi
  CODE=api fail "wait for $1: it is not healthy after ten minutes; see crictl ps --all and crictl logs"
}

# The end of the log of the component's newest container.
container_log() {
  local container
  container="$(crictl ps --all --name "^$1\$" --latest --quiet)" || return 1
  [ -z "${container}" ] || crictl logs --tail 5 "${container}"
}

# restart_static_pod COMPONENT HASH: ends its container; the kubelet starts another one, which reads the files that are
# there now. That is noted at once: while a majority of etcd comes back, no later boot ends it again.
restart_static_pod() {
  local sandboxes
  say "restart $1: it has started with older certificates"
  sandboxes="$(etcd_sandboxes)" || fail "restart $1: crictl does not answer; see journalctl -u containerd"
  etcd_stop_containers "$1" "${sandboxes}" || fail "restart $1: its container did not end; see crictl ps"
  put "${POD_CERTIFICATES}/$1" 644 <<< "$2"
}

# Waits for the pods of changed manifests: the old ones may still answer for a while. Pods that have started with other
# certificates are restarted one after another, each when the one before it answers, whichever boot has restarted that.
wait_for_static_pods() {
  local part sum before certificates
  certificates="$(certificates_hash)"
  for part in etcd kube-apiserver kube-controller-manager kube-scheduler; do
    sum="$(sha256sum < "/etc/kubernetes/manifests/${part}.yaml" | cut -d ' ' -f 1)"
    before="$(cat "${PODS}/${part}" 2> /dev/null || true)"
    if [ "${before%% *}" != "${sum}" ]; then
      stop_old_pods "${part}" "${before#* }"
      attempt 120 5 static_pod_is_new "${part}" "${before#* }" \
        || fail "start ${part}: the kubelet made no new pod of its manifest in ten minutes; see journalctl -u kubelet and crictl pods"
      put "${PODS}/${part}" 644 <<< "${sum} $(static_pod_hash "${part}")"
      put "${POD_CERTIFICATES}/${part}" 644 <<< "${certificates}"
    else
      pod_is_current "${part}" "${certificates}" || restart_static_pod "${part}" "${certificates}"
      # Without a mark (after a reboot) it has started with these.
      put "${POD_CERTIFICATES}/${part}" 644 <<< "${certificates}"
      wait_until_healthy "${part}"
    fi
  done
}

# 403 means not ready too: the API server creates its own RBAC rules only after it has started.
api_is_ready() {
  local code
  code="$(curl --silent --cacert "${PKI}/ca.crt" --output /dev/null --write-out '%{http_code}' https://127.0.0.1:6443/readyz)" || true
  [ "${code}" = 200 ] || { fail_on_lost_data && false; }
}

# etcd refuses to start as a new member where it had data before: an operator has to decide what to do.
fail_on_lost_data() {
  local container
  container="$(crictl ps --all --name '^etcd$' --latest --quiet)" || return 0
  [ -n "${container}" ] || return 0
  if crictl logs --tail 100 "${container}" 2>&1 | grep -q 'already been bootstrapped'; then
    CODE=etcd-data fail "start etcd of control-plane node ${SLOT}: this member has already been bootstrapped, but its volume is empty; $(lost_data_remedy)"
  fi
}

wait_for_api() {
  wait_for_static_pods
  wait_until_healthy kube-apiserver
  attempt 24 5 etcd_serves "${SLOT}" || CODE=etcd-quorum fail 'wait for etcd: it is not healthy after two minutes; see crictl logs of etcd'
}

own_node_exists() {
  kubectl get node "${NODE}" > /dev/null 2>&1
}

# Another Node with this address belongs to a machine that is gone, whatever its status says.
delete_old_node() {
  local name address nodes
  nodes="$(kubectl get nodes --selector node-role.kubernetes.io/control-plane --output \
    'jsonpath={range .items[*]}{.metadata.name}{" "}{.status.addresses[?(@.type=="InternalIP")].address}{"\n"}{end}')"
  while read -r name address; do
    if [ "${address}" = "${ADDRESS}" ] && [ "${name}" != "${NODE}" ]; then
      kubectl delete node "${name}" --ignore-not-found --wait=false
    fi
  done <<< "${nodes}"
}

register() {
  attempt 6 10 kubectl apply --server-side --force-conflicts --field-manager kube-cfn --filename /etc/kube-cfn/rbac.yaml \
    || fail 'apply /etc/kube-cfn/rbac.yaml: six attempts failed; see the lines above'
  attempt 6 10 kubeadm init phase upload-config all --config "${SHARED_CONFIG}" \
    || fail "run kubeadm's phase 'upload-config all': six attempts failed; see the lines above"
  attempt 60 5 own_node_exists || {
    end_of 5 journalctl --quiet --no-pager --output cat --lines 5 --unit kubelet
    CODE=kubelet fail "wait for node ${NODE}: the kubelet did not register it in five minutes; see journalctl -u kubelet"
  }
  attempt 6 10 kubeadm init phase mark-control-plane --config "${SHARED_CONFIG}" \
    || fail "run kubeadm's phase 'mark-control-plane': six attempts failed; see the lines above"
  use_rotated_certificate
  delete_old_node
}

# kubeadm restarts the kubelet each time, and writes the file in place. A half-written file would block every later
# boot. So the record of the inputs is removed while it is written, and a boot after a power cut makes the files again.
use_rotated_certificate() {
  local inputs
  ! grep -q kubelet-client-current.pem /etc/kubernetes/kubelet.conf || return 0
  inputs="$(< "${INPUTS}")"
  rm -f "${INPUTS}"
  sync
  phase 'kubelet-finalize all' "${SHARED_CONFIG}"
  sync
  put "${INPUTS}" 644 <<< "${inputs}"
}

# From now on an empty volume is a lost one. The first control-plane node that sees all members notes it.
mark_initialized() {
  local slot
  present state/etcd-initialized && return 0
  # Not etcdctl's --cluster: a member that has never started has no address there, and is left out.
  for slot in $(etcd_slots); do
    etcd_serves "${slot}" || {
      say "the member of control-plane node ${slot} does not serve yet; a later boot or the last node notes when all do"
      return 0
    }
  done
  printf 'yes\n' | ec2_put_parameter state/etcd-initialized || fail 'write the parameter state/etcd-initialized: it was refused'
}

# Not enabled in systemd: they run only after this boot has brought the API up.
start_units() {
  local unit
  /opt/kube-cfn/bin/bootstrap-token || fail 'make a bootstrap token: see the lines above'
  for unit in kube-cfn-approve-nodes.service kube-cfn-bootstrap-token.timer kube-cfn-etcd-snapshot.timer \
    kube-cfn-addons.service kube-cfn-addons.timer kube-cfn-database.timer kube-cfn-certificates.timer kube-cfn-etcd-volume.timer; do
    [ ! -e "/etc/systemd/system/${unit}" ] || systemctl start --no-block "${unit}"
  done
}

# The code of what etcd-boot.sh says in etcd_error.
etcd_code() {
  case "${etcd_error}" in
    *'no other member answers with a leader'*) echo etcd-quorum ;;
    *'read the parameter'* | *'SSM does not answer'*) echo parameter ;;
    *'a restore of '*' is under way'* | *'list no learner of it'*) echo etcd-data ;;
    *) echo other ;;
  esac
}

boot_control_plane() {
  check_slot
  prepare_host
  mount_etcd_volume
  etcd_decide_start || CODE="$(etcd_code)" fail "${etcd_error:?}"
  fetch_authorities
  write_kubeadm_config
  pull_images
  write_kubernetes_files
  wait_for_api
  etcd_close_recovery || fail "note that the member of control-plane node ${SLOT} has its vote: it does not answer, or the parameter was refused"
  register
  start_units
  mark_initialized
}
