# shellcheck shell=bash disable=SC2034
# Sourced: how a kubelet starts, and what it refuses. What it does then is in pods.sh.

# cmd/kubelet/app/options/options.go of kubernetes/kubernetes v1.36, (f *KubeletFlags) AddFlags; --config wants
# the rest in its file. Deprecated ones as that file's addDeprecatedFlags and MarkDeprecated have them.
KUBELET_FLAGS='--bootstrap-kubeconfig= --cert-dir= --cloud-provider= --config= --config-dir= --hostname-override=
  --image-credential-provider-bin-dir= --image-credential-provider-config= --kubeconfig= --node-ip= --node-labels=
  --root-dir= --v= --register-with-taints= --cgroup-driver= --cluster-dns= --cluster-domain= --max-pods=
  --pod-infra-container-image= --container-runtime-endpoint= --register-node --read-only-port='
KUBELET_DEPRECATED='--register-with-taints --cgroup-driver --cluster-dns --cluster-domain --max-pods
  --pod-infra-container-image --container-runtime-endpoint --register-node --read-only-port'

# What a kubelet says when it ends: systemd starts another one in ten seconds, which says the same.
kubelet_fails() {
  journal kubelet "E \"command failed\" err=\"$1\""
  return 1
}

# start_kubelet ARGUMENT...: as systemd does; a kubelet that ends at once is its own affair.
start_kubelet() {
  local name config
  # shellcheck disable=SC2329 # options calls them
  unknown_flag() { REST+=("unknown flag: ${1%%=*}"); }
  # shellcheck disable=SC2329
  no_value() { REST+=("flag needs an argument: $1"); }
  options "${KUBELET_FLAGS}" "$@"
  [ "${#REST[@]}" -eq 0 ] || kubelet_fails "failed to parse kubelet flag: ${REST[0]}" || return 0
  for name in "${!OPTION[@]}"; do
    [[ " ${KUBELET_DEPRECATED//$'\n'/ } " != *" ${name} "* ]] \
      || journal kubelet "Flag ${name} has been deprecated, This parameter should be set via the config file specified by the Kubelet's --config flag. See https://kubernetes.io/docs/tasks/administer-cluster/kubelet-config-file/ for more information."
  done
  config="${OPTION[--config]:-}"
  kubelet_config "${config}" && kubelet_login || return 0
  mkdir -p "${KUBELET}"
  [ -z "${KUBELET_MANIFESTS}" ] || : > "${KUBELET}/static-pods"
  printf 'KUBELET_NODE=%q KUBELET_ADDRESS=%q KUBELET_LABELS=%q KUBELET_TAINTS=%q KUBELET_MANIFESTS=%q KUBELET_CONF=%q\n' \
    "${OPTION[--hostname-override]:-}" "${OPTION[--node-ip]:-}" "${KUBELET_LABELS}" "${KUBELET_TAINTS}" \
    "${KUBELET_MANIFESTS}" "${ROOT}${OPTION[--kubeconfig]:-}" > "${KUBELET}/active"
  kubelet_sync
}

stop_kubelet() {
  rm -rf "${KUBELET}"
}

# Reads the configuration: strictly, with the rules of pkg/kubelet/apis/config/validation/validation.go.
kubelet_config() {
  local label
  [ -r "${ROOT}$1" ] || kubelet_fails "failed to load kubelet config file, path: $1, error: open $1: no such file or directory" || return 1
  read_yaml "${ROOT}$1" || kubelet_fails "failed to load kubelet config file, path: $1, error: it is no YAML" || return 1
  ! misfit 0 KubeletConfiguration || kubelet_fails "failed to load kubelet config file, path: $1, error: strict decoding error: ${MISFIT}" || return 1
  field 0 shutdownGracePeriod
  local whole="${PLAIN:-0s}"
  field 0 shutdownGracePeriodCriticalPods
  [ "${whole}" != 0s ] || [ "${PLAIN:-0s}" = 0s ] \
    || kubelet_fails 'invalid configuration: shutdownGracePeriod 0s must be >= shutdownGracePeriodCriticalPods' || return 1
  field 0 containerRuntimeEndpoint
  [ "${PLAIN}" = unix:///run/containerd/containerd.sock ] && [ -e "${ROOT}/run/units/containerd.service" ] \
    || kubelet_fails "failed to run Kubelet: validate service connection: validate CRI v1 runtime API for endpoint \\\"${PLAIN}\\\"" || return 1
  kubelet_taints || return 1
  KUBELET_LABELS=''
  local -a labels=()
  IFS=, read -r -a labels <<< "${OPTION[--node-labels]:-}"
  for label in "${labels[@]}"; do
    # cmd/kubelet/app/options/options.go, ValidateKubeletFlags.
    [[ "${label%%=*}" != *kubernetes.io/* && "${label%%=*}" != *k8s.io/* ]] \
      || kubelet_fails "failed to validate kubelet flags: unknown 'kubernetes.io' or 'k8s.io' labels specified with --node-labels: [${label}]" || return 1
    KUBELET_LABELS+="label ${label}"$'\n'
  done
  field 0 staticPodPath || true
  KUBELET_MANIFESTS="${PLAIN:+${ROOT}${PLAIN}}"
}

# The taints to register with; an item ends with its effect.
kubelet_taints() {
  local at value effect key=''
  KUBELET_TAINTS=''
  for at in "${!YAML_PATH[@]}"; do
    plain "${YAML_RAW[at]}"
    case "${YAML_PATH[at]}" in
      'registerWithTaints[].key') key="${PLAIN}" value='' ;;
      'registerWithTaints[].value') value="${PLAIN}" ;;
      'registerWithTaints[].effect')
        effect="${PLAIN}"
        [[ "${key}" =~ ^[A-Za-z0-9][-A-Za-z0-9_./]*$ && "${effect}" =~ ^(NoSchedule|PreferNoSchedule|NoExecute)$ ]] \
          || kubelet_fails "invalid configuration: invalid taint: ${key}=${value}:${effect}" || return 1
        KUBELET_TAINTS+="taint ${key}=${value}:${effect}"$'\n'
        ;;
    esac
  done
}

# pkg/kubelet/certificate/bootstrap/bootstrap.go, LoadClientConfig: without --bootstrap-kubeconfig there has to be a
# kubeconfig, whose files it loads.
kubelet_login() {
  local conf="${OPTION[--kubeconfig]:-}" file
  [ -z "${OPTION[--bootstrap-kubeconfig]:-}" ] \
    || kubelet_fails 'the stand-in does not ask for certificates: it would make another key at each try' || return 1
  [ -s "${ROOT}${conf}" ] \
    || kubelet_fails "failed to run Kubelet: unable to load kubeconfig: stat ${conf}: no such file or directory" || return 1
  text_of "${ROOT}${conf}"
  while [[ "${TEXT}" =~ client-(certificate|key):\ ([^ $'\n']+) ]]; do
    file="${BASH_REMATCH[2]}" TEXT="${TEXT#*"${BASH_REMATCH[0]}"}"
    [ -s "${ROOT}${file}" ] \
      || kubelet_fails "failed to run Kubelet: unable to load kubeconfig: unable to read client-cert ${file}: open ${file}: no such file or directory" || return 1
  done
}

# The kubelet's certificate, with the key behind it.
client_certificate() {
  mkdir -p "${1%/*}"
  printf -- '-----BEGIN CERTIFICATE-----\nsubject system:node\nends Jan  1 00:00:00 2099 GMT\n-----END CERTIFICATE-----\n' > "$1"
}

# When the API answers, it renews what is in its kubeconfig where its own store is empty. What is in the store has to be
# a pair of certificate and key (certificate_store.go, loadFile); on a control-plane node it is the tests' own text.
kubelet_certificate() {
  local pem="${ROOT}/var/lib/kubelet/pki/kubelet-client-current.pem"
  if [ -e "${KUBELET}/static-pods" ]; then
    [ -e "${pem}" ] || client_certificate "${pem}"
    return
  fi
  [ -L "${pem}" ] && text_of "${pem}" \
    && [[ "${TEXT}" =~ ^-----BEGIN\ CERTIFICATE-----$'\n'.*-----END\ CERTIFICATE-----$'\n'-----BEGIN\ (EC\ )?PRIVATE\ KEY-----$'\n'.*PRIVATE\ KEY-----$'\n'$ ]]
}
