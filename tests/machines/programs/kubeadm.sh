# shellcheck shell=bash disable=SC2034,SC2153,SC2154 # the stand-in sets them
# Sourced after the stand-in of kubeadm: certificates and kubeconfigs that openssl makes, and objects that kubectl writes.

# No kubelet looks here.
kubelet_sync() { :; }

# phases/certs/certs.go, CreateCACertAndKeyFiles: boot has put the authorities in place.
authority() {
  { [ -e "${PKI}/$1.crt" ] && [ -e "${PKI}/$1.key" ]; } || fails "the stand-in makes no authority: ${PKI}/$1"
  openssl x509 -noout -in "${PKI}/$1.crt" 2> /dev/null || fails "error execution phase certs/$1: failure loading $1 certificate: failed to load certificate: the certificate file is not whole"
  openssl pkey -noout -in "${PKI}/$1.key" 2> /dev/null || fails "error execution phase certs/$1: failure loading $1 key: couldn't load the private key file"
  echo "[certs] Using existing $1 certificate authority"
}

# signed SUBJECT AUTHORITY NAMES: a key and a certificate in KEY and CERTIFICATE_TEXT.
signed() {
  local one kind names=''
  for one in $3; do
    kind=DNS
    [[ ! "${one}" =~ ^[0-9.]+$ ]] || kind=IP
    names+="${names:+,}${kind}:${one}"
  done
  KEY=$(openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 2> /dev/null)
  CERTIFICATE_TEXT=$(openssl req -new -key /dev/stdin -subj "$1" <<< "${KEY}" 2> /dev/null \
    | openssl x509 -req -CA "${PKI}/$2.crt" -CAkey "${PKI}/$2.key" -days 365 -set_serial "0x$(openssl rand -hex 8)" \
      -extfile <(printf 'extendedKeyUsage=serverAuth,clientAuth\n%s' "${names:+subjectAltName=${names}}") 2> /dev/null) \
    && [ -n "${CERTIFICATE_TEXT}" ]
}

# phases/certs/certs.go, writeCertificateFilesIfNotExist.
leaf() {
  local name=$1 wanted subject="/CN=${1//\//-}" text
  case $1 in
    apiserver-kubelet-client | apiserver-etcd-client) subject="/O=kubeadm:cluster-admins/CN=kube-$1" ;;
    etcd/healthcheck-client) subject='/O=system:masters/CN=kube-etcd-healthcheck-client' ;;
  esac
  if [ -e "${PKI}/${name}.crt" ] || [ -e "${PKI}/${name}.key" ]; then
    { openssl pkey -noout -in "${PKI}/${name}.key" && openssl x509 -noout -in "${PKI}/${name}.crt"; } 2> /dev/null \
      || fails "error execution phase certs/${name}: failure loading ${name} certificate: couldn't load the certificate and key files"
    openssl verify -CAfile "${PKI}/$2.crt" "${PKI}/${name}.crt" > /dev/null 2>&1 \
      || fails "error execution phase certs/${name}: certificate ${name} is not signed by corresponding CA"
    text=" $(openssl x509 -noout -ext subjectAltName -in "${PKI}/${name}.crt" 2> /dev/null | sed -n 's/DNS:\|IP Address:\|,/ /gp') "
    for wanted in $3; do
      [[ "${text}" == *" ${wanted} "* ]] || fails "error execution phase certs/${name}: certificate ${name} is invalid: x509: certificate is not valid for ${wanted}"
    done
    echo "[certs] Using the existing \"${name}\" certificate and key"
    return
  fi
  echo "[certs] Generating \"${name}\" certificate and key"
  signed "${subject}" "$2" "$3" || fails "error execution phase certs/${name}: unable to sign certificate"
  write "${PKI}/${name}.key" 600 "${KEY}"
  write "${PKI}/${name}.crt" 644 "${CERTIFICATE_TEXT}"
}

# phases/kubeconfig/kubeconfig.go, createKubeConfigFileIfNotExists.
kubeconfig() {
  local file="${CONFIGS}/$1.conf" server="https://$2" user="$3" authority subject="/CN=$3" text
  authority=$(base64 --wrap=0 "${PKI}/ca.crt")
  if [ -e "${file}" ]; then
    text_of "${file}"
    [[ "${TEXT}" == *$'\nusers:\n'*'client-key'* ]] || fails "error execution phase kubeconfig/$1: failed to load kubeconfig file ${file} that already exists on disk"
    [[ "${TEXT}" == *"certificate-authority-data: ${authority}"$'\n'* ]] || fails "error execution phase kubeconfig/$1: a kubeconfig file \"${file}\" exists already but has got the wrong CA cert"
    [[ "${TEXT}" == *"server: ${server}"$'\n'* ]] || fails "error execution phase kubeconfig/$1: a kubeconfig file \"${file}\" exists already but has got the wrong API Server URL"
    echo "[kubeconfig] Using existing kubeconfig file: \"${file}\""
    return
  fi
  case $1 in
    admin) subject="/O=kubeadm:cluster-admins/CN=$3" ;;
    super-admin) subject="/O=system:masters/CN=$3" ;;
    kubelet) subject="/O=system:nodes/CN=$3" ;;
  esac
  signed "${subject}" ca '' || fails "error execution phase kubeconfig/$1: couldn't create a kubeconfig; the CA files couldn't be loaded: failed to load certificate"
  printf -v text 'apiVersion: v1\nclusters:\n- cluster:\n    certificate-authority-data: %s\n    server: %s\n  name: kubernetes\ncontexts:\n- context:\n    cluster: kubernetes\n    user: %s\n  name: default\ncurrent-context: default\nkind: Config\nusers:\n- name: %s\n  user:\n    client-certificate-data: %s\n    client-key-data: %s' \
    "${authority}" "${server}" "${user}" "${user}" "$(base64 --wrap=0 <<< "${CERTIFICATE_TEXT}")" "$(base64 --wrap=0 <<< "${KEY}")"
  write "${file}" 600 "${text}"
}

# with_admin ARGUMENT...: kubectl as kubeadm asks: this machine's own API server.
with_admin() {
  kubectl --kubeconfig /etc/kubernetes/super-admin.conf --server https://127.0.0.1:6443 --request-timeout=20s "$@"
}

configmap() {
  jq -n --arg name "$1" --arg key "$2" --arg text "$3" \
    '{apiVersion: "v1", kind: "ConfigMap", metadata: {name: $name, namespace: "kube-system"}, data: {($key): $text}}' \
    | with_admin apply --server-side --force-conflicts --field-manager kubeadm --filename - > /dev/null
}

# phases/uploadconfig and phases/kubelet/config.go, CreateConfigMap.
upload_config() {
  need_api /etc/kubernetes/admin.conf 'error execution phase upload-config/kubeadm: error uploading the kubeadm ClusterConfiguration'
  document "${OPTION[--config]}" "${CLUSTER}"
  configmap kubeadm-config ClusterConfiguration "${TEXT}" || fails 'error execution phase upload-config/kubeadm'
  document "${OPTION[--config]}" "${KUBELET_PART:?}"
  configmap kubelet-config kubelet "${TEXT}" || fails 'error execution phase upload-config/kubelet'
}

# phases/markcontrolplane/markcontrolplane.go: labels and taints that are there already stay as they are.
mark_control_plane() {
  local node patch at
  local -a keys effects
  need_api /etc/kubernetes/admin.conf 'error execution phase mark-control-plane'
  node=$(with_admin get node "${NODE}" --output json) \
    || fails "error execution phase mark-control-plane: error applying control-plane label and taints: timed out waiting for the condition: nodes \"${NODE}\" not found"
  items "${INIT}" 'nodeRegistration.taints[].effect'
  effects=("${ITEMS[@]}")
  items "${INIT}" 'nodeRegistration.taints[].key'
  keys=("${ITEMS[@]}")
  patch=$(jq -c '{metadata: {labels: {"node-role.kubernetes.io/control-plane": "", "node.kubernetes.io/exclude-from-external-load-balancers": ""}},
    spec: {taints: (.spec.taints // [])}}' <<< "${node}")
  for at in "${!keys[@]}"; do
    patch=$(jq -c --arg key "${keys[at]}" --arg effect "${effects[at]}" '.spec.taints |= (map(select(.key != $key or .effect != $effect)) + [{key: $key, effect: $effect}])' <<< "${patch}")
  done
  with_admin patch node "${NODE}" --type merge --patch "${patch}" > /dev/null || fails 'error execution phase mark-control-plane'
}

# cmd/phases/init/kubeletfinalize.go: without the rotated certificate there is nothing to do.
kubelet_finalize() {
  local conf=/etc/kubernetes/kubelet.conf current=/var/lib/kubelet/pki/kubelet-client-current.pem
  [ -e "${current}" ] || return 0
  text_of "${conf}"
  [[ "${TEXT}" == *"- name: system:node:${NODE}"$'\n'* ]] || fails "error execution phase kubelet-finalize/enable-client-cert-rotation: the file \"${conf}\" does not contain authentication for user \"${NODE}\""
  write "${conf}" 600 "${TEXT%%    client-cert*}    client-certificate: ${current}"$'\n'"    client-key: ${current}"
  systemctl daemon-reload
  systemctl restart kubelet
}

# phases/bootstraptoken: a Secret that the API server knows tokens by.
token() {
  local id secret
  [ "${REST[1]:-}" = create ] || fails "unknown command \"${REST[1]:-}\" for \"kubeadm token\""
  need_api "${OPTION[--kubeconfig]:-/etc/kubernetes/admin.conf}" 'failed to create token'
  fits duration "${OPTION[--ttl]:-24h}" || fails "invalid argument \"${OPTION[--ttl]}\" for \"--ttl\" flag: time: invalid duration"
  id=$(openssl rand -hex 3) secret=$(openssl rand -hex 8)
  jq -n --arg id "${id}" --arg secret "${secret}" --arg groups "${OPTION[--groups]:-}" --arg until "$(date --utc --date "+${OPTION[--ttl]%h} hours" +%Y-%m-%dT%H:%M:%SZ)" '
    {apiVersion: "v1", kind: "Secret", type: "bootstrap.kubernetes.io/token", metadata: {name: "bootstrap-token-\($id)", namespace: "kube-system"},
     data: ({"token-id": $id, "token-secret": $secret, expiration: $until, "usage-bootstrap-authentication": "true", "auth-extra-groups": $groups} | map_values(@base64))}' \
    | with_admin create --filename - > /dev/null || fails 'failed to create token'
  echo "${id}.${secret}"
}
