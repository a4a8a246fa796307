# shellcheck shell=bash disable=SC2034,SC2153
# Stands in for kubeadm of kubernetes/kubernetes v1.34 to v1.36: the commands that write files and talk to an
# API server. Flags and rules are cmd/kubeadm/app/cmd and below; the phases are in kubeadm-phases.sh.
# Progress goes to standard output, warnings and errors to standard error, as there.

# certificatesDir and --kubeconfig-dir say otherwise.
PKI=/etc/kubernetes/pki CONFIGS=/etc/kubernetes
# What v1.36.4 names where nobody says otherwise: cmd/kubeadm/app/constants/constants.go.
CORE_DNS=v1.14.2 PAUSE=3.10.2 ETCD=3.6.8-0

fails() {
  printf '%s\nTo see the stack trace of this error execute with --v=5 or higher\n' "$1" >&2
  exit 1
}

# klog's line of a warning.
warns() {
  printf 'W1130 00:00:00.000000       1 %s\n' "$1" >&2
}

unknown_flag() { fails "unknown flag: ${1%%=*}"; }
no_value() { fails "flag needs an argument: $1"; }

# Reads a configuration as config.LoadOrDefaultInitConfiguration does: an unknown field is a warning there,
# an error for `config validate` (util/config/strict); one of a wrong type is an error for both.
load_config() {
  local file="$1" strict="$2" document kind
  [ -n "${file}" ] || fails 'the stand-in needs --config'
  [ -r "${file}" ] || fails "unable to read config from \"${file}\": open ${file}: no such file or directory"
  read_yaml "${file}" || fails "error unmarshaling ${file}: it is no YAML that the stand-in reads"
  local -A at=()
  for ((document = 0; document <= YAML_DOCUMENT[-1]; document++)); do
    field "${document}" kind || fails "invalid configuration: kind and apiVersion is mandatory information that must be specified"
    kind="${PLAIN}"
    field "${document}" apiVersion || true
    case "${PLAIN} ${kind}" in
      'kubeadm.k8s.io/v1beta4 InitConfiguration' | 'kubeadm.k8s.io/v1beta4 ClusterConfiguration' \
        | 'kubelet.config.k8s.io/v1beta1 KubeletConfiguration') ;;
      kubeadm.k8s.io/v1beta3*) warns "common.go:101] your configuration file uses a deprecated API spec: \"kubeadm.k8s.io/v1beta3\" (kind: \"${kind}\"). Please use 'kubeadm config migrate'" ;;
      *) fails "no kind \"${kind}\" is registered for version \"${PLAIN}\"" ;;
    esac
    at["${kind}"]="${document}"
    misfit "${document}" "${kind}" || continue
    [ "${strict}" = no ] && [[ "${MISFIT}" != cannot* ]] || fails "error unmarshaling configuration schema.GroupVersionKind{Kind:\"${kind}\"}: strict decoding error: ${MISFIT}"
    warns "strict.go:54] error unmarshaling configuration: strict decoding error: ${MISFIT}"
  done
  INIT="${at[InitConfiguration]:?}" CLUSTER="${at[ClusterConfiguration]:?}" KUBELET_PART="${at[KubeletConfiguration]:-}"
  valid_config
}

# cmd/kubeadm/app/apis/kubeadm/validation/validation.go, as far as what is used here goes.
valid_config() {
  local host effect
  field "${INIT}" nodeRegistration.name && NODE="${PLAIN}"
  [[ "${NODE}" =~ ^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$ ]] || fails "nodeRegistration.name: Invalid value: \"${NODE}\": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.'"
  field "${INIT}" nodeRegistration.criSocket || true
  [[ "${PLAIN}" =~ ^(unix://.*)?$ ]] || fails "nodeRegistration.criSocket: Invalid value: \"${PLAIN}\""
  items "${INIT}" 'nodeRegistration.taints[].effect'
  for effect in "${ITEMS[@]}"; do
    [[ "${effect}" =~ ^(NoSchedule|PreferNoSchedule|NoExecute)$ ]] || fails "nodeRegistration.taints: Unsupported value: \"${effect}\""
  done
  field "${INIT}" localAPIEndpoint.advertiseAddress && ADDRESS="${PLAIN}"
  [[ "${ADDRESS}" =~ ^[0-9]+(\.[0-9]+){3}$ ]] || fails "localAPIEndpoint: Invalid value: \"${ADDRESS}\": couldn't use \"${ADDRESS}\" as \"apiserver-advertise-address\", must be ipv4 or ipv6 address"
  field "${CLUSTER}" controlPlaneEndpoint && ENDPOINT="${PLAIN}"
  host="${ENDPOINT%:*}"
  [[ "${host}" =~ ^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$ ]] || fails "controlPlaneEndpoint: Invalid value: \"${ENDPOINT}\": invalid host: a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.'"
  field "${CLUSTER}" kubernetesVersion && VERSION="${PLAIN}"
  [[ "${VERSION}" =~ ^v1\.3[4-6]\.[0-9]+$ ]] || fails "this version of kubeadm only supports deploying clusters with the control plane version >= 1.34.0. Current version: ${VERSION}"
  field "${CLUSTER}" encryptionAlgorithm || true
  [[ "${PLAIN}" =~ ^(|RSA-2048|RSA-3072|RSA-4096|ECDSA-P256|ECDSA-P384)$ ]] || fails "encryptionAlgorithm: Invalid value: \"${PLAIN}\": Invalid encryption algorithm"
  ! field "${CLUSTER}" certificatesDir || PKI="${PLAIN}"
  [[ "${PKI}" == /* ]] || fails "certificatesDir: Invalid value: \"${PKI}\": path is not absolute"
  field "${CLUSTER}" etcd.local.dataDir && DATA="${PLAIN}"
  [[ "${DATA}" == /* ]] || fails "etcd.dataDir: Invalid value: \"${DATA}\": path is not absolute"
  field "${CLUSTER}" etcd.local.imageTag || PLAIN="${ETCD}"
  ETCD_IMAGE="registry.k8s.io/etcd:${PLAIN}"
}

# images.GetControlPlaneImages: addons that are disabled need none.
images() {
  local part
  for part in kube-apiserver kube-controller-manager kube-scheduler; do
    echo "registry.k8s.io/${part}:${VERSION}"
  done
  field "${CLUSTER}" proxy.disabled && [ "${PLAIN}" = true ] || echo "registry.k8s.io/kube-proxy:${VERSION}"
  field "${CLUSTER}" dns.disabled && [ "${PLAIN}" = true ] || echo "registry.k8s.io/coredns/coredns:${CORE_DNS}"
  echo "registry.k8s.io/pause:${PAUSE}"
  echo "${ETCD_IMAGE}"
}

# The API server that a kubeconfig names, or the error of a client that waits for it in vain.
need_api() {
  kubelet_sync
  [ -s "${ROOT}$1" ] || fails "failed to load admin kubeconfig: open $1: no such file or directory"
  api_answers || fails "$2: Get \"https://${ENDPOINT:-the server}/api\": dial tcp: connect: connection refused"
}

# app/cmd/token.go.
token() {
  local usage
  [ "${REST[1]:-}" = create ] || fails "unknown command \"${REST[1]:-}\" for \"kubeadm token\""
  need_api "${OPTION[--kubeconfig]:-/etc/kubernetes/admin.conf}" 'failed to create token'
  fits duration "${OPTION[--ttl]:-24h}" || fails "invalid argument \"${OPTION[--ttl]}\" for \"--ttl\" flag: time: invalid duration"
  for usage in ${OPTION[--usages]//,/ }; do
    [[ "${usage}" =~ ^(signing|authentication)$ ]] || fails "usages: Invalid value: \"${usage}\""
  done
  [[ "${OPTION[--groups]:-system:bootstrappers:x}" =~ ^system:bootstrappers:[a-z0-9:-]{0,255}[a-z0-9]$ ]] \
    || fails "groups: Invalid value: \"${OPTION[--groups]}\""
  echo abcdef.0123456789abcdef
}

main() {
  local common='--config= --v= -v:--v --rootfs='
  case "${1:-} ${2:-} ${3:-}" in
    'config validate '*)
      options "${common} --kubeconfig= --allow-experimental-api" "$@"
      load_config "${OPTION[--config]:-}" yes
      echo ok
      ;;
    'config images list')
      options "${common} --kubeconfig= --kubernetes-version= --image-repository= --feature-gates= --output= -o:--output --allow-missing-template-keys" "$@"
      load_config "${OPTION[--config]:-}" no
      images
      ;;
    'init phase '*)
      options "${common} --dry-run --cert-dir= --node-name= --patches= --apiserver-advertise-address= --kubeconfig-dir=" "$@"
      # app/cmd/phases/init/kubeconfig.go, getKubeConfigPhaseFlags.
      [ -z "${OPTION[--kubeconfig-dir]:-}" ] || [ "${REST[2]:-}" = kubeconfig ] || unknown_flag --kubeconfig-dir
      CONFIGS="${OPTION[--kubeconfig-dir]:-${CONFIGS}}"
      # app/apis/kubeadm/validation/validation.go, ValidateMixedArguments and isAllowedFlag.
      unset 'OPTION[--kubeconfig-dir]'
      [ "${#OPTION[@]}" -eq 1 ] || fails 'can not mix '\''--config'\'' with arguments'
      load_config "${OPTION[--config]:-}" no
      phase "${REST[2]:-}" "${REST[3]:-}"
      ;;
    'token '*)
      options "${common} --kubeconfig= --dry-run --ttl= --usages= --groups= --description= --certificate-key= --print-join-command" "$@"
      token
      ;;
    *) fails "unknown command \"${1:-}\" for \"kubeadm\"" ;;
  esac
}
