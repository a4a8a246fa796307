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
# Of the API server: the keys that Secrets are encrypted with.
ENCRYPTION=/etc/kube-cfn/apiserver/encryption.yaml
# The value of the parameter that was read last.
SECRET=''

check_slot() {
  local want
  want="$(etcd_slot_address "${SLOT}")" || fail "boot as control-plane node '${SLOT}': the bundle has ${NODE_SLOTS}"
  [ "${ADDRESS}" = "${want}" ] \
    || fail "boot as control-plane node ${SLOT}: its address is ${want}, this machine has ${ADDRESS}; is its interface attached?"
}

# The parameters that this boot reads before etcd runs, at most ten, after the volume is attached: what says whether it may
# be formatted is not older than that.
prefetch_parameters() {
  local name
  local -a names=("state/etcd-recover-${SLOT}" state/etcd-token state/etcd-initialized)
  for name in ca etcd-ca front-proxy-ca; do
    has_authority "${name}" || names+=("cp/${name}.key")
  done
  for name in sa.key sa.pub; do
    [ -s "${PKI}/${name}" ] || names+=("cp/${name}")
  done
  [ -s "${ENCRYPTION}" ] || names+=(cp/encryption.yaml)
  # Each is asked for by itself then, and named where that fails.
  ec2_prefetch_parameters "${names[@]}" || say 'the parameters are read one by one: not all were answered at once'
}

# read_secret NAME: its value in SECRET.
read_secret() {
  SECRET="$(ec2_parameter "$1")" || CODE=parameter fail "read the parameter $1: it is missing or denied; it is made before any machine starts by: kube-cfn apply ${NODE_CLUSTER}"
}

# put_secret NAME PATH MODE [BLOCK]: writes SECRET into a file; BLOCK selects PEM blocks by their name.
put_secret() {
  local value="${SECRET}"
  [ -z "${4:-}" ] || value="$(sed -n "/-----BEGIN $4-----/,/-----END $4-----/p" <<< "${value}")"
  [ -n "${value}" ] || CODE=parameter fail "read the parameter $1: it holds no ${4:-text}"
  put "$2" "$3" <<< "${value}"
}

fetch_secret() {
  [ ! -s "$2" ] || return 0
  read_secret "$1"
  put_secret "$@"
}

authority_file() {
  printf '%s\n' "${PKI}/${1/etcd-/etcd/}"
}

has_authority() {
  local file
  file="$(authority_file "$1")"
  [ -s "${file}.key" ] && [ -s "${file}.crt" ]
}

# One parameter holds an authority's key and certificate, so that they always belong together.
fetch_authorities() {
  local name file
  for name in ca etcd-ca front-proxy-ca; do
    ! has_authority "${name}" || continue
    file="$(authority_file "${name}")"
    read_secret "cp/${name}.key"
    put_secret "cp/${name}.key" "${file}.key" 600 'PRIVATE KEY'
    put_secret "cp/${name}.key" "${file}.crt" 644 CERTIFICATE
  done
  fetch_secret cp/sa.key "${PKI}/sa.key" 600
  fetch_secret cp/sa.pub "${PKI}/sa.pub" 600
  fetch_secret cp/encryption.yaml "${ENCRYPTION}" 600
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

# While the certificates are made: all that are missing at the same time.
pull_images() {
  local image images
  local -a begun=()
  images="$(kubeadm config images list --config "${OWN_CONFIG}")" || fail 'list the images of the control plane: kubeadm failed'
  for image in ${images}; do
    ! crictl inspecti --quiet "${image}" > /dev/null 2>&1 || continue
    beside "pull ${image##*/}" pull_image "${image}"
    begun+=("pull ${image##*/}")
  done
  finish "${begun[@]}"
}

pull_image() {
  attempt 5 10 crictl pull "$1" || CODE=image-pull fail "pull $1: five attempts failed; can this machine reach the registry?"
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
  for part in 'etcd local' 'control-plane all'; do
    phase "${part}" "${OWN_CONFIG}"
  done
}

start_kubelet() {
  phase kubelet-start "${OWN_CONFIG}"
  chmod 0600 /var/lib/kubelet/config.yaml
}

# An API server that accepts a connection and does not answer must not hold the boot up.
api() {
  kubectl --request-timeout=30s "$@"
}

own_node_exists() {
  api get node "${NODE}" > /dev/null 2>&1
}

# Another Node with this address belongs to a machine that is gone, whatever its status says.
delete_old_node() {
  local name address nodes
  nodes="$(api get nodes --selector node-role.kubernetes.io/control-plane --output \
    'jsonpath={range .items[*]}{.metadata.name}{" "}{.status.addresses[?(@.type=="InternalIP")].address}{"\n"}{end}')"
  while read -r name address; do
    if [ "${address}" = "${ADDRESS}" ] && [ "${name}" != "${NODE}" ]; then
      api delete node "${name}" --ignore-not-found --wait=false
    fi
  done <<< "${nodes}"
}

register() {
  attempt 6 10 api apply --server-side --force-conflicts --field-manager kube-cfn --filename /etc/kube-cfn/rbac.yaml \
    || fail 'apply /etc/kube-cfn/rbac.yaml: six attempts failed; see the lines above'
  attempt 6 10 kubeadm init phase upload-config all --config "${SHARED_CONFIG}" \
    || fail "run kubeadm's phase 'upload-config all': six attempts failed; see the lines above"
  await 300 own_node_exists || {
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

# etcd itself refuses to start as a member that had data before, but only where another member answers it within a second. A
# volume that this boot formats is one that may be empty.
refuse_lost_data() {
  [ -z "${FORMATTED:-}" ] && [ "${ETCD_STATE}" = new ] && ! etcd_has_data && present state/etcd-initialized || return 0
  CODE=etcd-data fail "start etcd of control-plane node ${SLOT} on ${ETCD_VOLUME}: it is empty, but the cluster's etcd has had its data; $(lost_data_remedy)"
}

make_bootstrap_token() {
  /opt/kube-cfn/bin/bootstrap-token || fail 'make a bootstrap token: see the lines above'
}

# Not enabled in systemd: they run only after this boot has brought the API up.
start_units() {
  local unit
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

# What takes long begins early: each `beside` ends at its `finish`, before what needs it.
boot_control_plane() {
  check_slot
  step host
  apply_host_settings
  write_api_hosts
  beside packages install_packages
  beside downloads install_binaries
  beside volume attach_etcd_volume
  step downloads
  finish packages downloads
  step containerd
  start_containerd
  step volume
  finish volume
  prefetch_parameters
  mount_etcd_volume
  etcd_decide_start || CODE="$(etcd_code)" fail "${etcd_error:?}"
  refuse_lost_data
  fetch_authorities
  step certificates
  write_kubeadm_config
  beside images pull_images
  write_kubernetes_files
  step images
  finish images
  step kubelet
  start_kubelet
  step 'static pods'
  wait_for_api
  etcd_close_recovery || fail "note that the member of control-plane node ${SLOT} has its vote: it does not answer, or the parameter was refused"
  step node
  register
  step 'token and units'
  make_bootstrap_token
  start_units
  mark_initialized
}
