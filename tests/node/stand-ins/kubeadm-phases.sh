# shellcheck shell=bash disable=SC2034,SC2153
# Sourced: the phases of `kubeadm init`, as cmd/kubeadm/app/phases of kubernetes/kubernetes v1.34 to v1.36
# does them: what is there is checked and kept. Its files are written in place, not renamed: a power cut
# leaves half of one, which `cut_in` of the caller may make happen.

# A certificate is its subject, its issuer's text, its names and its end between PEM's lines, a key its subject.
ENDS='Jan  1 00:00:00 2099 GMT'

write() {
  mkdir -p "${ROOT}${1%/*}"
  case "$1" in
    # One file of each phase: more of them would tell nothing more.
    */etcd/server.crt | */kubelet.conf | */etcd.yaml | */kube-controller-manager.yaml | */config.yaml)
      printf '%s' "${3:0:$((${#3} / 2))}" > "${ROOT}$1"
      cut_in "kubeadm ${REST[2]}, half-way through $1"
      ;;
  esac
  printf '%s\n' "$3" > "${ROOT}$1"
  chmod "$2" "${ROOT}$1"
}

# pem FILE WORDS: whether it is a whole PEM block of that name; its text in TEXT.
pem() {
  [ -e "${ROOT}$1" ] && text_of "${ROOT}$1" && [[ "${TEXT}" == *"-----BEGIN $2-----"*"-----END $2-----"* ]]
}

# phases/certs/certs.go, CreateCACertAndKeyFiles.
authority() {
  local name="$1"
  if [ -e "${ROOT}${PKI}/${name}.crt" ] || [ -e "${ROOT}${PKI}/${name}.key" ]; then
    pem "${PKI}/${name}.crt" CERTIFICATE || fails "error execution phase certs/${name}: failure loading ${name} certificate: failed to load certificate: the certificate file is not whole"
    pem "${PKI}/${name}.key" 'PRIVATE KEY' || fails "error execution phase certs/${name}: failure loading ${name} key: couldn't load the private key file"
    echo "[certs] Using existing ${name} certificate authority"
    return
  fi
  echo "[certs] Generating \"${name}\" certificate and key"
  write "${PKI}/${name}.key" 600 $'-----BEGIN PRIVATE KEY-----\nkey of a new authority\n-----END PRIVATE KEY-----'
  write "${PKI}/${name}.crt" 644 $'-----BEGIN CERTIFICATE-----\na new authority\n-----END CERTIFICATE-----'
}

# leaf NAME AUTHORITY NAMES: phases/certs/certs.go, writeCertificateFilesIfNotExist.
leaf() {
  local name="$1" issuer names="$3" wanted
  pem "${PKI}/$2.crt" CERTIFICATE
  issuer="${TEXT//$'\n'/ }"
  if [ -e "${ROOT}${PKI}/${name}.crt" ] || [ -e "${ROOT}${PKI}/${name}.key" ]; then
    { pem "${PKI}/${name}.key" 'PRIVATE KEY' && pem "${PKI}/${name}.crt" CERTIFICATE; } \
      || fails "error execution phase certs/${name}: failure loading ${name} certificate: couldn't load the certificate and key files"
    [[ "${TEXT}" == *"issued by ${issuer}"* ]] || fails "error execution phase certs/${name}: certificate ${name} is not signed by corresponding CA"
    # validateCertificateWithConfig: every name that the configuration wants has to be in it.
    for wanted in ${names}; do
      [[ "${TEXT}" == *" ${wanted} "* ]] || fails "error execution phase certs/${name}: certificate ${name} is invalid: x509: certificate is not valid for ${wanted}"
    done
    echo "[certs] Using the existing \"${name}\" certificate and key"
    return
  fi
  echo "[certs] Generating \"${name}\" certificate and key"
  write "${PKI}/${name}.key" 600 $'-----BEGIN PRIVATE KEY-----\n'"key of ${name}"$'\n-----END PRIVATE KEY-----'
  write "${PKI}/${name}.crt" 644 $'-----BEGIN CERTIFICATE-----\n'"subject ${name}"$'\n'"issued by ${issuer}"$'\n'"for ${names} "$'\n'"ends ${ENDS}"$'\n-----END CERTIFICATE-----'
}

certs() {
  local etcd="${NODE} localhost ${ADDRESS} 127.0.0.1"
  items "${CLUSTER}" 'apiServer.certSANs[]'
  authority ca
  leaf apiserver ca "${NODE} kubernetes kubernetes.default.svc ${ENDPOINT%:*} ${ADDRESS} ${ITEMS[*]}"
  leaf apiserver-kubelet-client ca ''
  authority front-proxy-ca
  leaf front-proxy-client front-proxy-ca ''
  authority etcd/ca
  leaf etcd/server etcd/ca "${etcd}"
  leaf etcd/peer etcd/ca "${etcd}"
  leaf etcd/healthcheck-client etcd/ca ''
  leaf apiserver-etcd-client etcd/ca ''
  if [ -e "${ROOT}${PKI}/sa.key" ]; then
    pem "${PKI}/sa.key" 'PRIVATE KEY' || fails 'error execution phase certs/sa: sa key existed but it could not be loaded properly'
    echo '[certs] Using the existing "sa" key'
  else
    echo '[certs] Generating "sa" key and public key'
    write "${PKI}/sa.key" 600 $'-----BEGIN PRIVATE KEY-----\na new key\n-----END PRIVATE KEY-----'
    write "${PKI}/sa.pub" 600 $'-----BEGIN PUBLIC KEY-----\na new key\n-----END PUBLIC KEY-----'
  fi
}

# phases/kubeconfig/kubeconfig.go, createKubeConfigFileIfNotExists.
kubeconfig() {
  local file="${CONFIGS}/$1.conf" server="https://$2" user="$3" authority text client
  { pem "${PKI}/ca.key" 'PRIVATE KEY' && pem "${PKI}/ca.crt" CERTIFICATE; } || fails "error execution phase kubeconfig/$1: couldn't create a kubeconfig; the CA files couldn't be loaded: failed to load certificate"
  authority="${TEXT//$'\n'/ }"
  client="$(base64 --wrap=0 <<< $'-----BEGIN CERTIFICATE-----\n'"subject ${user}"$'\n'"ends ${ENDS}"$'\n-----END CERTIFICATE-----')"
  printf -v text 'apiVersion: v1\nclusters:\n- cluster:\n    certificate-authority-data: %s\n    server: %s\n  name: kubernetes\nkind: Config\nusers:\n- name: %s\n  user:\n    client-certificate-data: %s\n    client-key-data: %s' \
    "${authority}" "${server}" "${user}" "${client}" "key of ${user}"
  if [ ! -e "${ROOT}${file}" ]; then
    echo "[kubeconfig] Writing \"$1.conf\" kubeconfig file"
    write "${file}" 600 "${text}"
    return
  fi
  text_of "${ROOT}${file}"
  [[ "${TEXT}" == *$'\nusers:\n'*'client-key'* ]] || fails "error execution phase kubeconfig/$1: failed to load kubeconfig file ${file} that already exists on disk"
  [[ "${TEXT}" == *"certificate-authority-data: ${authority}"$'\n'* ]] || fails "error execution phase kubeconfig/$1: a kubeconfig file \"${file}\" exists already but has got the wrong CA cert"
  [[ "${TEXT}" == *"server: ${server}"$'\n'* ]] || fails "error execution phase kubeconfig/$1: a kubeconfig file \"${file}\" exists already but has got the wrong API Server URL"
  echo "[kubeconfig] Using existing kubeconfig file: \"${file}\""
}

# util/staticpod and util/arguments.go, ArgumentsToCommand: defaults that are not overridden, sorted by name.
# manifest PART IMAGE PATH-OF-ARGUMENTS DEFAULT...
manifest() {
  local part="$1" image="$2" from="$3" argument override text
  local -a all
  shift 3
  arguments "${CLUSTER}" "${from}"
  all=("${ITEMS[@]}")
  for argument in "$@"; do
    for override in "${ITEMS[@]}"; do
      [ "${override%%=*}" != "${argument%%=*}" ] || continue 2
    done
    all+=("${argument}")
  done
  mapfile -t all < <(printf '%s\n' "${all[@]}" | LC_ALL=C sort)
  printf -v text '    - %s\n' "${part}" "${all[@]}"
  printf -v text 'apiVersion: v1\nkind: Pod\nmetadata:\n  labels:\n    component: %s\n    tier: control-plane\n  name: %s\n  namespace: kube-system\nspec:\n  containers:\n  - command:\n%s    image: %s\n    imagePullPolicy: IfNotPresent\n    name: %s\n  hostNetwork: true\n  priorityClassName: system-node-critical\nstatus: {}' \
    "${part}" "${part}" "${text}" "${image}" "${part}"
  write "/etc/kubernetes/manifests/${part}.yaml" 600 "${text}"
}

# phases/etcd/local.go, getEtcdCommand: these flags are for 3.6 and later.
etcd() {
  local pki="${PKI}/etcd" url="https://${ADDRESS}"
  echo '[etcd] Creating static Pod manifest for local etcd in "/etc/kubernetes/manifests"'
  mkdir -p "${ROOT}${DATA}"
  chmod 0700 "${ROOT}${DATA}"
  manifest etcd "${ETCD_IMAGE}" etcd.local.extraArgs --name="${NODE}" --data-dir="${DATA}" \
    --listen-client-urls="https://127.0.0.1:2379,${url}:2379" --advertise-client-urls="${url}:2379" \
    --listen-peer-urls="${url}:2380" --initial-advertise-peer-urls="${url}:2380" --initial-cluster="${NODE}=${url}:2380" \
    --cert-file="${pki}/server.crt" --key-file="${pki}/server.key" --trusted-ca-file="${pki}/ca.crt" --client-cert-auth=true \
    --peer-cert-file="${pki}/peer.crt" --peer-key-file="${pki}/peer.key" --peer-trusted-ca-file="${pki}/ca.crt" \
    --peer-client-cert-auth=true --snapshot-count=10000 --listen-metrics-urls=http://127.0.0.1:2381 \
    --feature-gates=InitialCorruptCheck=true --watch-progress-notify-interval=5s
}

# phases/controlplane/manifests.go.
control_plane() {
  local part services conf=/etc/kubernetes
  field "${CLUSTER}" networking.serviceSubnet && services="${PLAIN}"
  for part in kube-apiserver kube-controller-manager kube-scheduler; do
    echo "[control-plane] Creating static Pod manifest for \"${part}\""
  done
  manifest kube-apiserver "registry.k8s.io/kube-apiserver:${VERSION}" apiServer.extraArgs --advertise-address="${ADDRESS}" \
    --allow-privileged=true --authorization-mode=Node,RBAC --client-ca-file="${PKI}/ca.crt" --enable-admission-plugins=NodeRestriction \
    --etcd-cafile="${PKI}/etcd/ca.crt" --etcd-certfile="${PKI}/apiserver-etcd-client.crt" --etcd-keyfile="${PKI}/apiserver-etcd-client.key" \
    --etcd-servers=https://127.0.0.1:2379 --kubelet-client-certificate="${PKI}/apiserver-kubelet-client.crt" \
    --kubelet-client-key="${PKI}/apiserver-kubelet-client.key" --proxy-client-cert-file="${PKI}/front-proxy-client.crt" \
    --proxy-client-key-file="${PKI}/front-proxy-client.key" --requestheader-client-ca-file="${PKI}/front-proxy-ca.crt" --secure-port=6443 \
    --service-account-issuer=https://kubernetes.default.svc.cluster.local --service-account-key-file="${PKI}/sa.pub" \
    --service-account-signing-key-file="${PKI}/sa.key" --service-cluster-ip-range="${services}" \
    --tls-cert-file="${PKI}/apiserver.crt" --tls-private-key-file="${PKI}/apiserver.key"
  manifest kube-controller-manager "registry.k8s.io/kube-controller-manager:${VERSION}" controllerManager.extraArgs \
    --authentication-kubeconfig="${conf}/controller-manager.conf" --authorization-kubeconfig="${conf}/controller-manager.conf" \
    --bind-address=127.0.0.1 --client-ca-file="${PKI}/ca.crt" --cluster-signing-cert-file="${PKI}/ca.crt" \
    --cluster-signing-key-file="${PKI}/ca.key" '--controllers=*,bootstrapsigner,tokencleaner' --kubeconfig="${conf}/controller-manager.conf" --leader-elect=true \
    --requestheader-client-ca-file="${PKI}/front-proxy-ca.crt" --root-ca-file="${PKI}/ca.crt" \
    --service-account-private-key-file="${PKI}/sa.key" --use-service-account-credentials=true
  manifest kube-scheduler "registry.k8s.io/kube-scheduler:${VERSION}" scheduler.extraArgs \
    --authentication-kubeconfig="${conf}/scheduler.conf" --authorization-kubeconfig="${conf}/scheduler.conf" --bind-address=127.0.0.1 \
    --kubeconfig="${conf}/scheduler.conf" --leader-elect=true
}

# The documents of a file whose kind is that, in TEXT.
document() {
  local line now=0
  TEXT=''
  while IFS= read -r line; do
    [ "${line}" != --- ] || { now=$((now + 1)) && continue; }
    [ "${now}" != "$2" ] || TEXT+="${line}"$'\n'
  done < "$1"
  TEXT="${TEXT%$'\n'}"
}

# cmd/phases/init/kubelet.go, runKubeletStart: it stops the kubelet, writes, starts it. For `init` the taints
# are no flag.
kubelet_start() {
  local text argument
  systemctl stop kubelet
  arguments "${INIT}" nodeRegistration.kubeletExtraArgs
  mapfile -t ITEMS < <(printf '%s\n' "${ITEMS[@]}" | LC_ALL=C sort)
  text="${ITEMS[*]}"
  echo '[kubelet-start] Writing kubelet environment file with flags to file "/var/lib/kubelet/kubeadm-flags.env"'
  write /var/lib/kubelet/kubeadm-flags.env 644 "KUBELET_KUBEADM_ARGS=\"${text}\""
  # Feature gate NodeLocalCRISocket, on from v1.34.
  write /var/lib/kubelet/instance-config.yaml 644 $'apiVersion: kubelet.config.k8s.io/v1beta1\ncontainerRuntimeEndpoint: unix:///run/containerd/containerd.sock\nkind: KubeletConfiguration'
  echo '[kubelet-start] Writing kubelet configuration to file "/var/lib/kubelet/config.yaml"'
  document "${OPTION[--config]}" "${KUBELET_PART:?}"
  write /var/lib/kubelet/config.yaml 644 "${TEXT}"
  echo '[kubelet-start] Starting the kubelet'
  systemctl daemon-reload
  systemctl start kubelet
}

# phases/uploadconfig and phases/kubelet/config.go, CreateConfigMap.
upload_config() {
  local name
  need_api /etc/kubernetes/admin.conf 'error execution phase upload-config/kubeadm: error uploading the kubeadm ClusterConfiguration'
  mkdir -p "${ROOT}/srv/cluster"
  echo '[upload-config] Storing the configuration used in ConfigMap "kubeadm-config" in the "kube-system" Namespace'
  document "${OPTION[--config]}" "${CLUSTER}"
  printf '%s\n' "${TEXT}" > "${ROOT}/srv/cluster/kubeadm-config"
  echo '[kubelet] Creating a ConfigMap "kubelet-config" in namespace kube-system with the configuration for the kubelets in the cluster'
  document "${OPTION[--config]}" "${KUBELET_PART:?}"
  printf '%s\n' "${TEXT}" > "${ROOT}/srv/cluster/kubelet-config"
}

# phases/markcontrolplane/markcontrolplane.go: labels and taints that are there already stay as they are.
mark_control_plane() {
  local node="${ROOT}/srv/cluster/nodes/${NODE}" key at line value=''
  local -a effects
  need_api /etc/kubernetes/admin.conf 'error execution phase mark-control-plane'
  [ -e "${node}" ] || fails "error execution phase mark-control-plane: error applying control-plane label and taints: timed out waiting for the condition: nodes \"${NODE}\" not found"
  echo "[mark-control-plane] Marking the node ${NODE} as control-plane by adding the labels: [node-role.kubernetes.io/control-plane node.kubernetes.io/exclude-from-external-load-balancers]"
  items "${INIT}" 'nodeRegistration.taints[].effect'
  effects=("${ITEMS[@]}")
  items "${INIT}" 'nodeRegistration.taints[].key'
  text_of "${node}"
  for line in 'label node-role.kubernetes.io/control-plane=' 'label node.kubernetes.io/exclude-from-external-load-balancers='; do
    [[ "${TEXT}" == *"${line}"$'\n'* ]] || printf '%s\n' "${line}" >> "${node}"
  done
  for at in "${!ITEMS[@]}"; do
    key="${ITEMS[at]}"
    [[ "${TEXT}" == *"taint ${key}=${value}:${effects[at]}"$'\n'* ]] || printf 'taint %s=%s:%s\n' "${key}" "${value}" "${effects[at]}" >> "${node}"
  done
}

# cmd/phases/init/kubeletfinalize.go: without the rotated certificate there is nothing to do.
kubelet_finalize() {
  local conf=/etc/kubernetes/kubelet.conf current=/var/lib/kubelet/pki/kubelet-client-current.pem user="system:node:${NODE}"
  [ -e "${ROOT}${current}" ] || return 0
  echo "[kubelet-finalize] Updating \"${conf}\" to point to a rotatable kubelet client certificate and key"
  text_of "${ROOT}${conf}" || fails "error execution phase kubelet-finalize/enable-client-cert-rotation: could not load \"${conf}\""
  [[ "${TEXT}" == *"- name: ${user}"$'\n'* ]] || fails "error execution phase kubelet-finalize/enable-client-cert-rotation: the file \"${conf}\" does not contain authentication for user \"${NODE}\""
  write "${conf}" 600 "${TEXT%%    client-cert*}    client-certificate: ${current}"$'\n'"    client-key: ${current}"
  systemctl daemon-reload
  systemctl restart kubelet
}

phase() {
  case "$1 $2" in
    'certs all') certs ;;
    'kubeconfig all')
      kubeconfig admin "${ENDPOINT}" kubernetes-admin
      kubeconfig super-admin "${ENDPOINT}" kubernetes-super-admin
      kubeconfig kubelet "${ENDPOINT}" "system:node:${NODE}"
      kubeconfig controller-manager "${ADDRESS}:6443" system:kube-controller-manager
      kubeconfig scheduler "${ADDRESS}:6443" system:kube-scheduler
      ;;
    'etcd local') etcd ;;
    'control-plane all') control_plane ;;
    'kubelet-start ') kubelet_start ;;
    'upload-config all') upload_config ;;
    'mark-control-plane ') mark_control_plane ;;
    'kubelet-finalize all') kubelet_finalize ;;
    *) fails "invalid subcommand \"$1 $2\" for \"kubeadm init phase\"" ;;
  esac
}
