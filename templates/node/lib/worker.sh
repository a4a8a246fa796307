# shellcheck shell=bash disable=SC2153
# Boots a node of a pool: a kubelet that gets its certificate with the bootstrap token, and renews it. The control plane
# approves one first certificate for a machine, in the hour after its launch (bin/approve-nodes there).

CA=/etc/kubernetes/pki/ca.crt
CERTIFICATE=/var/lib/kubelet/pki/kubelet-client-current.pem
BOOTSTRAP=/etc/kubernetes/bootstrap-kubelet.conf

fetch_authority() {
  local value
  [ ! -s "${CA}" ] || return 0
  value="$(ec2_parameter pub/ca.crt)" || fail "read the parameter pub/ca.crt: it is missing or denied; it is made before any machine starts by: kube-cfn apply ${NODE_CLUSTER}"
  put "${CA}" 644 <<< "${value}"
}

write_kubelet_files() {
  local text
  text="$(fill /etc/kube-cfn/kubelet.yaml.in)"
  put /var/lib/kubelet/config.yaml 600 <<< "${text}"
  text="--cloud-provider=external --hostname-override=${NODE} --node-ip=${ADDRESS} --node-labels=${NODE_LABELS}"
  text+=" --image-credential-provider-bin-dir=/opt/kube-cfn/credential --image-credential-provider-config=/etc/kube-cfn/credential.yaml"
  put /var/lib/kubelet/kubeadm-flags.env 644 <<< "KUBELET_KUBEADM_ARGS=\"${text}\""
}

# The token is valid for two hours and renewed before its end: read again on every attempt.
write_bootstrap_config() {
  local token text
  token="$(ec2_parameter worker/bootstrap-token)" || return 1
  text="$(fill /etc/kube-cfn/bootstrap-kubelet.conf.in)"
  put "${BOOTSTRAP}" 600 <<< "${text/@TOKEN@/${token}}"
}

has_certificate() {
  [ -e "${CERTIFICATE}" ] && openssl x509 -checkend 0 -noout -in "${CERTIFICATE}" > /dev/null
}

# The kubelet would ask for another one until the control plane denies it.
refuse_expired_certificate() {
  if [ ! -e "${CERTIFICATE}" ] || has_certificate || ! openssl x509 -noout -in "${CERTIFICATE}" > /dev/null 2>&1; then
    return 0
  fi
  fail "use the client certificate of this machine: it has expired, and no machine gets a second first one; this machine has to be replaced: terminate instance ${NODE}, its group launches a new one"
}

# The last denial that the kubelet has logged, with its reason.
last_denial() {
  journalctl --quiet --no-pager --unit kubelet.service --since=-25min --output cat 2> /dev/null \
    | grep -o 'certificate signing request is denied.*' | tail -n 1 || true
}

# A worker may boot before the control plane has made the first token. The kubelet itself retries while the API does
# not answer.
enrol() {
  local try denial
  refuse_expired_certificate
  if ! has_certificate; then
    attempt 120 10 write_bootstrap_config || fail 'read the parameter worker/bootstrap-token: none after twenty minutes; is a control-plane node up?'
  fi
  systemctl start kubelet.service || fail 'start the kubelet: see journalctl -u kubelet'
  for ((try = 1; try <= 40; try++)); do
    attempt 6 5 has_certificate && break
    renew_token
  done
  if ! has_certificate; then
    denial="$(last_denial)"
    fail "get a client certificate from https://${API_HOST}:6443: ${denial:-none after twenty minutes; does the API answer from here? see journalctl -u kubelet}; a machine that is older than an hour or has lost its certificate gets none: terminate instance ${NODE}, its group launches a new one"
  fi
  rm -f "${BOOTSTRAP}"
}

# The kubelet reads another token only when it starts.
renew_token() {
  local before
  before="$(sha256sum "${BOOTSTRAP}")"
  write_bootstrap_config || return 0
  [ "$(sha256sum "${BOOTSTRAP}")" = "${before}" ] || systemctl restart kubelet.service
}

own_node_is_ready() {
  local node
  # A node may read itself with its own certificate, and nothing else.
  node="$(curl --silent --fail --max-time 20 --cacert "${CA}" --cert "${CERTIFICATE}" --key "${CERTIFICATE}" \
    "https://${API_HOST}:6443/api/v1/nodes/${NODE}")" || return 1
  jq --exit-status 'any(.status.conditions[]?; .type == "Ready" and .status == "True")' > /dev/null <<< "${node}"
}

boot_worker() {
  prepare_host
  fetch_authority
  write_kubelet_files
  enrol
  attempt 240 5 own_node_is_ready || fail "wait for node ${NODE} to be Ready: it is not after twenty minutes; see kubectl describe node ${NODE} and whether the pod network runs"
}
