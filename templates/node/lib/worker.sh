# shellcheck shell=bash disable=SC2153
# Boots a node of a pool: gets its first client certificate (first-certificate.sh), then starts a kubelet, which renews it.

CA=/etc/kubernetes/pki/ca.crt

# The bootstrap token may not be there yet: it is read again then.
prefetch_parameters() {
  local -a names=()
  [ -s "${CA}" ] || names+=(pub/ca.crt)
  has_certificate || names+=(worker/bootstrap-token)
  [ "${#names[@]}" -gt 0 ] || return 0
  # Each is asked for by itself then, and named where that fails.
  ec2_prefetch_parameters "${names[@]}" || say 'the parameters are read one by one: not all were answered at once'
}

fetch_authority() {
  local value
  [ ! -s "${CA}" ] || return 0
  value="$(ec2_parameter pub/ca.crt)" || CODE=parameter fail "read the parameter pub/ca.crt: it is missing or denied; it is made before any machine starts by: kube-cfn apply ${NODE_CLUSTER}"
  put "${CA}" 644 <<< "${value}"
}

write_kubelet_files() {
  local text
  text="$(fill /etc/kube-cfn/kubelet.yaml.in)"
  put /var/lib/kubelet/config.yaml 600 <<< "${text}"
  text="--cloud-provider=external --hostname-override=${NODE} --node-ip=${ADDRESS} --node-labels=${NODE_LABELS}"
  text+=" --image-credential-provider-bin-dir=/opt/kube-cfn/credential --image-credential-provider-config=/etc/kube-cfn/credential.yaml"
  put /var/lib/kubelet/kubeadm-flags.env 644 <<< "KUBELET_KUBEADM_ARGS=\"${text}\""
  text="$(fill /etc/kube-cfn/kubelet.conf.in)"
  put /etc/kubernetes/kubelet.conf 600 <<< "${text}"
}

own_node_is_ready() {
  local node
  # A node may read itself with its own certificate, and nothing else.
  node="$(curl --silent --fail --max-time 20 --cacert "${CA}" --cert "${CERTIFICATE}" --key "${CERTIFICATE}" \
    "https://${API_HOST}:6443/api/v1/nodes/${NODE}")" || return 1
  jq --exit-status 'any(.status.conditions[]?; .type == "Ready" and .status == "True")' > /dev/null <<< "${node}"
}

# What takes long begins early: each `beside` ends at its `finish`, before what needs it.
boot_worker() {
  step host
  apply_host_settings
  write_api_hosts
  beside packages install_packages
  beside downloads install_binaries
  step packages
  finish packages
  step parameters
  prefetch_parameters
  fetch_authority
  beside certificate get_first_certificate
  step downloads
  finish downloads
  step containerd
  start_containerd
  step certificate
  finish certificate
  step kubelet
  write_kubelet_files
  systemctl start kubelet.service || fail 'start the kubelet: see journalctl -u kubelet'
  step ready
  await 1200 own_node_is_ready || {
    end_of 5 journalctl --quiet --no-pager --output cat --lines 5 --unit kubelet
    CODE=kubelet fail "wait for node ${NODE} to be Ready: it is not after twenty minutes; see kubectl describe node ${NODE} and whether the pod network runs"
  }
}
