# shellcheck shell=bash disable=SC2153
# A slot of the control plane. Every step is the same on the first boot, on any later one, and on the
# machine that takes the slot over; kubeadm only writes files, it never joins anything.

PKI=/etc/kubernetes/pki
# kubeadm's input with what is the machine's own (A), and the part that is the same everywhere (B).
CONFIG_A=/etc/kube-cfn/kubeadm/config.yaml
CONFIG_B=/etc/kube-cfn/kubeadm/shared.yaml
INPUTS=/var/lib/kube-cfn/kubeadm-inputs
PODS=/var/lib/kube-cfn/static-pods

check_slot() {
  local want
  want="$(slot_address "${SLOT}")"
  [ -n "${want}" ] || fail "take slot '${SLOT}': the bundle knows ${NODE_SLOTS}"
  [ "${ADDRESS}" = "${want}" ] || fail "take slot ${SLOT}: its address is ${want}, this machine has ${ADDRESS}; is the slot's interface attached?"
}

# secret NAME PATH MODE [BLOCK]: a parameter as a file; of several PEM blocks only those named so.
secret() {
  local value
  [ ! -s "$2" ] || return 0
  value="$(ec2_parameter "$1")" || fail "read the parameter $1: it is missing or denied; it is made before any machine starts by: kube-cfn apply ${NODE_CLUSTER}"
  [ -z "${4:-}" ] || value="$(sed -n "/-----BEGIN $4-----/,/-----END $4-----/p" <<< "${value}")"
  [ -n "${value}" ] || fail "read the parameter $1: it holds no ${4:-text}"
  put "$2" "$3" <<< "${value}"
}

# One parameter holds an authority's key and certificate, so that they always belong together.
fetch_authorities() {
  local name
  for name in ca etcd-ca front-proxy-ca; do
    secret "cp/${name}.key" "${PKI}/${name/etcd-/etcd/}.key" 600 'PRIVATE KEY'
    secret "cp/${name}.key" "${PKI}/${name/etcd-/etcd/}.crt" 644 CERTIFICATE
  done
  secret cp/sa.key "${PKI}/sa.key" 600
  secret cp/sa.pub "${PKI}/sa.pub" 600
  secret cp/encryption.yaml /etc/kube-cfn/apiserver/encryption.yaml 600
}

write_kubeadm_config() {
  local text
  text="$(fill /etc/kube-cfn/kubeadm/config.yaml.in)"
  put "${CONFIG_A}" 600 <<< "${text}"
  text="$(fill /etc/kube-cfn/kubeadm/shared.yaml.in)"
  put "${CONFIG_B}" 600 <<< "${text}"
  kubeadm config validate --config "${CONFIG_A}" || fail "use ${CONFIG_A}: kubeadm refuses it, see the lines above"
  kubeadm config validate --config "${CONFIG_B}" || fail "use ${CONFIG_B}: kubeadm refuses it, see the lines above"
}

pull_images() {
  local image images
  images="$(kubeadm config images list --config "${CONFIG_A}")" || fail 'list the images of the control plane: kubeadm failed'
  for image in ${images}; do
    crictl inspecti --quiet "${image}" > /dev/null 2>&1 || attempt 5 10 crictl pull "${image}" \
      || fail "pull ${image}: five attempts failed; can this machine reach the registry?"
  done
}

# kubeadm keeps a certificate or kubeconfig that is there, and fails at one that does not fit: what was made
# of other inputs, was cut short or ends within three months has to go first.
drop_stale_leaves() {
  local file
  if [ "$(cat "${INPUTS}" 2> /dev/null || true)" = "$1" ] \
    && openssl x509 -checkend 7776000 -noout -in "${PKI}/apiserver.crt" > /dev/null; then
    return 0
  fi
  rm -f "${INPUTS}"
  for file in "${PKI}"/*.crt "${PKI}"/*.key "${PKI}"/etcd/*.crt "${PKI}"/etcd/*.key; do
    case "${file#"${PKI}/"}" in
      ca.* | etcd/ca.* | front-proxy-ca.* | sa.*) ;;
      *) rm -f "${file}" ;;
    esac
  done
  rm -f /etc/kubernetes/*.conf
}

phase() {
  # shellcheck disable=SC2086 # a phase is one or two words
  kubeadm init phase $1 --config "$2" || fail "run kubeadm's phase '$1': see the lines above"
}

write_kubernetes_files() {
  local inputs part local_admin
  inputs="$(cat "${CONFIG_B}" "${PKI}/ca.crt" "${PKI}/etcd/ca.crt" "${PKI}/front-proxy-ca.crt" | sha256sum | cut -d ' ' -f 1)"
  drop_stale_leaves "${inputs}"
  for part in 'certs all' 'kubeconfig all'; do
    phase "${part}" "${CONFIG_A}"
  done
  sync
  put "${INPUTS}" 644 <<< "${inputs}"
  local_admin="$(sed 's#server: .*#server: https://127.0.0.1:6443#' /etc/kubernetes/super-admin.conf)"
  put /etc/kube-cfn/local-admin.conf 600 <<< "${local_admin}"
  etcd_prepare_member || fail "${etcd_error:?}"
  for part in 'etcd local' 'control-plane all' kubelet-start; do
    phase "${part}" "${CONFIG_A}"
  done
  chmod 0600 /var/lib/kubelet/config.yaml
}

# The hash of the static pod that the kubelet runs now; nothing while none is ready.
static_pod_hash() {
  crictl pods --label "component=$1" --state ready --output json \
    | jq -r '.items[0].annotations["kubernetes.io/config.hash"] // empty'
}

static_pod_is_new() {
  local hash
  hash="$(static_pod_hash "$1")"
  [ -n "${hash}" ] && [ "${hash}" != "$2" ]
}

# A kubelet that has not seen its API server since it started never ends a pod, not even that of a manifest
# that has changed: the old one would run on and keep the new one from its ports. A container is asked to
# end; what is left of its pod is not.
end_old_pod() {
  local pod pods container
  [ -n "$2" ] || return 0
  pods="$(crictl pods --label "component=$1" --state ready --output json \
    | jq -r --arg hash "$2" '.items[] | select(.annotations["kubernetes.io/config.hash"] == $hash).id')" \
    || fail "find the old pod of $1: crictl does not answer; see journalctl -u containerd"
  for pod in ${pods}; do
    for container in $(crictl ps --quiet --pod "${pod}"); do
      crictl stop --timeout 25 "${container}" || say "a container of the old pod of $1 did not end by itself"
    done
    attempt 3 5 crictl stopp "${pod}" || fail "stop the old pod of $1: see the lines above"
  done
}

# After a changed manifest the old pod still answers for a while: waits for the new one.
await_static_pods() {
  local part sum before
  for part in etcd kube-apiserver kube-controller-manager kube-scheduler; do
    sum="$(sha256sum < "/etc/kubernetes/manifests/${part}.yaml" | cut -d ' ' -f 1)"
    before="$(cat "${PODS}/${part}" 2> /dev/null || true)"
    [ "${before%% *}" != "${sum}" ] || continue
    end_old_pod "${part}" "${before#* }"
    attempt 120 5 static_pod_is_new "${part}" "${before#* }" \
      || fail "start ${part}: the kubelet made no new pod of its manifest in ten minutes; see journalctl -u kubelet and crictl pods"
    put "${PODS}/${part}" 644 <<< "${sum} $(static_pod_hash "${part}")"
  done
}

local_etcd() {
  etcdctl --cacert "${PKI}/etcd/ca.crt" --cert "${PKI}/etcd/healthcheck-client.crt" \
    --key "${PKI}/etcd/healthcheck-client.key" --endpoints https://127.0.0.1:2379 "$@"
}

# Refused and 403 are no answer yet: the API server makes its own rights only after it has started.
api_is_ready() {
  local code
  code="$(curl --silent --cacert "${PKI}/ca.crt" --output /dev/null --write-out '%{http_code}' https://127.0.0.1:6443/readyz)" || true
  [ "${code}" = 200 ] || { refuse_wiped_etcd && false; }
}

# etcd refuses to start anew as a member that has had data: nobody but an operator can decide what then.
refuse_wiped_etcd() {
  local container
  container="$(crictl ps --all --name '^etcd$' --latest --quiet)" || return 0
  [ -n "${container}" ] || return 0
  if crictl logs --tail 100 "${container}" 2>&1 | grep -q 'already been bootstrapped'; then
    fail "start etcd of slot ${SLOT}: this member has already been bootstrapped, but its volume is empty; run kube-cfn etcd replace-member ${NODE_CLUSTER} ${SLOT}"
  fi
}

await_api() {
  await_static_pods
  # Without a majority of the slots etcd has no leader: as long as the slowest machine needs to start.
  attempt 120 5 api_is_ready || fail "wait for https://127.0.0.1:6443/readyz: no 200 in ten minutes; see crictl ps --all, crictl logs, and whether a majority of the slots runs"
  attempt 24 5 local_etcd endpoint health > /dev/null 2>&1 || fail 'wait for etcd: it is not healthy after two minutes; see crictl logs of etcd'
}

own_node_exists() {
  kubectl get node "${NODE}" > /dev/null 2>&1
}

# The machine that had the slot before is gone, whatever its Node says: two can't have one address.
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
  attempt 6 10 kubeadm init phase upload-config all --config "${CONFIG_B}" \
    || fail "run kubeadm's phase 'upload-config all': six attempts failed; see the lines above"
  attempt 60 5 own_node_exists || fail "wait for node ${NODE}: the kubelet did not register it in five minutes; see journalctl -u kubelet"
  attempt 6 10 kubeadm init phase mark-control-plane --config "${CONFIG_B}" \
    || fail "run kubeadm's phase 'mark-control-plane': six attempts failed; see the lines above"
  use_rotated_certificate
  delete_old_node
}

# kubeadm restarts the kubelet each time, and writes the file in place. Of a half-written one it would never
# get past: while it is written nothing says that the files of this machine are whole, so that a boot after
# a power cut makes them again.
use_rotated_certificate() {
  local inputs
  ! grep -q kubelet-client-current.pem /etc/kubernetes/kubelet.conf || return 0
  inputs="$(< "${INPUTS}")"
  rm -f "${INPUTS}"
  sync
  phase 'kubelet-finalize all' "${CONFIG_B}"
  sync
  put "${INPUTS}" 644 <<< "${inputs}"
}

# From now on an empty volume is a lost one. Whichever slot sees all members first says so.
mark_initialized() {
  local slot
  present state/etcd-initialized && return 0
  # Not etcdctl's --cluster: a member that has never started has no address there, and is left out.
  for slot in $(etcd_slots); do
    etcd_serves "${slot}" || {
      say "the member of slot ${slot} does not serve yet; a later boot or the last slot notes when all do"
      return 0
    }
  done
  printf 'yes\n' | ec2_put_parameter state/etcd-initialized || fail 'write the parameter state/etcd-initialized: it was refused'
}

# Not enabled: they run only while this boot has brought the API up.
start_units() {
  local unit
  /opt/kube-cfn/bin/bootstrap-token || fail 'make a bootstrap token: see the lines above'
  for unit in kube-cfn-bootstrap-token.timer kube-cfn-etcd-snapshot.timer kube-cfn-addons.service \
    kube-cfn-addons.timer kube-cfn-database.timer; do
    [ ! -e "/etc/systemd/system/${unit}" ] || systemctl start --no-block "${unit}"
  done
}

boot_control_plane() {
  check_slot
  prepare_host
  mount_etcd_volume
  etcd_decide_start || fail "${etcd_error:?}"
  fetch_authorities
  write_kubeadm_config
  pull_images
  write_kubernetes_files
  await_api
  etcd_close_recovery || fail "note that the member of slot ${SLOT} has its vote: it does not answer, or the parameter was refused"
  register
  start_units
  mark_initialized
}
