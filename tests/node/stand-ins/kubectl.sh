# shellcheck shell=bash
# Stands in for kubectl of v1.34 to v1.36 (staging/src/k8s.io/kubectl/pkg/cmd): the verbs that a booting
# machine needs, with their flags. Real kubectl is in other tests; this one answers from ROOT/srv.

# cli-runtime's ConfigFlags.
GLOBAL='--kubeconfig= --namespace= -n:--namespace --request-timeout= --context= --server= -s:--server --v= -v:--v'
GETS='--selector= -l:--selector --output= -o:--output --ignore-not-found --all-namespaces -A:--all-namespaces
  --field-selector= --no-headers --raw= --show-labels --sort-by= --watch -w:--watch'

fails() {
  echo "$1" >&2
  exit 1
}

unknown_flag() { fails "error: unknown flag: ${1%%=*}"$'\n'"See 'kubectl --help' for usage."; }
no_value() { fails "error: flag needs an argument: $1"$'\n'"See 'kubectl --help' for usage."; }

# The API server of the kubeconfig, which has to be there and to answer.
connect() {
  local file="${OPTION[--kubeconfig]:-${KUBECONFIG:-/root/.kube/config}}" server='localhost:8080'
  if [ -s "${ROOT}${file}" ]; then
    text_of "${ROOT}${file}"
    [[ ! "${TEXT}" =~ server:\ https://([^ $'\n']+) ]] || server="${BASH_REMATCH[1]}"
  fi
  kubelet_sync
  { [ "${server}" != localhost:8080 ] && api_answers; } \
    || fails "The connection to the server ${server} was refused - did you specify the right host or port?"
}

get() {
  local name address
  case "${REST[1]:-} ${REST[2]:-}" in
    'nodes ' | 'node ')
      # Those that a test put there alone are of the control plane.
      while read -r name address; do
        if [ -e "${ROOT}/srv/cluster/nodes/${name}" ]; then
          text_of "${ROOT}/srv/cluster/nodes/${name}"
          [[ "${TEXT}" == *"label ${OPTION[--selector]:-}="* ]] || continue
        fi
        printf '%s %s\n' "${name}" "${address}"
      done < "${ROOT}/srv/nodes"
      ;;
    'node '* | 'nodes '*)
      [ -e "${ROOT}/srv/cluster/nodes/${REST[2]}" ] || found_not nodes "${REST[2]}"
      echo "${REST[2]}"
      ;;
    'secret bootstrap-token-'*)
      [ -e "${ROOT}/srv/token-expiration" ] || found_not secrets "${REST[2]}"
      text_of "${ROOT}/srv/token-expiration"
      printf '%s' "${TEXT}"
      ;;
    'lease '*) lease "${REST[2]}" ;;
    *) fails "error: the stand-in has no \"${REST[1]:-}\"" ;;
  esac
}

# A Lease is a file of JSON below ROOT/srv/cluster; its version counts the writes.
lease() {
  local file="${ROOT}/srv/cluster/lease-$1"
  [ -e "${file}" ] || found_not leases.coordination.k8s.io "$1"
  [ "${OPTION[--output]:-}" = 'jsonpath={.metadata.resourceVersion} {.spec.renewTime} {.spec.leaseDurationSeconds} {.spec.holderIdentity}' ] \
    || fails 'error: the stand-in has no other output of a lease'
  jq -r '"\(.metadata.resourceVersion) \(.spec.renewTime) \(.spec.leaseDurationSeconds) \(.spec.holderIdentity // "")"' "${file}"
}

# An object from standard input, which replaces one of the same version or is new.
write_object() {
  local object file was='' wants
  [ "${OPTION[--filename]:-}" = - ] || fails 'error: must specify one of -f and -k'
  object="$(cat)"
  [ "$(jq -r .kind <<< "${object}")" = Lease ] || fails 'error: the stand-in keeps no other kind'
  file="${ROOT}/srv/cluster/lease-$(jq -r .metadata.name <<< "${object}")"
  wants="$(jq -r '.metadata.resourceVersion // ""' <<< "${object}")"
  [ ! -e "${file}" ] || was="$(jq -r .metadata.resourceVersion "${file}")"
  case "$1" in
    create) [ -z "${was}" ] || fails 'Error from server (AlreadyExists): leases.coordination.k8s.io already exists' ;;
    replace) [ -n "${was}" ] && [ "${wants:-${was}}" = "${was}" ] || fails 'Error from server (Conflict): the object has been modified' ;;
  esac
  jq --arg version "$((${was:-0} + 1))" '.metadata.resourceVersion = $version' <<< "${object}" > "${file}"
}

create() { write_object create; }
replace() { write_object replace; }

found_not() {
  [ -z "${OPTION[--ignore-not-found]:-}" ] || exit 0
  fails "Error from server (NotFound): $1 \"$2\" not found"
}

# Server-side, as the flags ask for; each object has to say what it is.
apply() {
  local file="${OPTION[--filename]:-}" kinds
  [ -n "${file}" ] || fails 'error: must specify one of -f and -k'
  [ -z "${OPTION[--force-conflicts]:-}" ] || [ -n "${OPTION[--server-side]:-}" ] || fails 'error: --force-conflicts only works with --server-side'
  [ -e "${ROOT}${file}" ] || fails "error: the path \"${file}\" does not exist"
  kinds="$(grep -c '^kind: ' "${ROOT}${file}")"
  [ "${kinds}" -gt 0 ] && [ "${kinds}" = "$(grep -c '^apiVersion: ' "${ROOT}${file}")" ] || fails "error: error validating \"${file}\": apiVersion or kind not set"
  echo "${kinds} objects serverside-applied"
}

delete() {
  local node="${REST[2]:-}"
  [ "${REST[1]:-}" = node ] && [ -n "${node}" ] || fails 'error: resource(s) were provided, but no name was specified'
  grep -q "^${node} " "${ROOT}/srv/nodes" || found_not nodes "${node}"
  sed -i "/^${node} /d" "${ROOT}/srv/nodes"
  rm -f "${ROOT}/srv/cluster/nodes/${node}"
  echo "node \"${node}\" deleted"
}

main() {
  local verbs=("$@")
  # The verb decides on the flags, wherever it is.
  case " ${verbs[*]} " in
    *' apply '*) options "${GLOBAL} --server-side --force-conflicts --field-manager= --filename= -f:--filename --dry-run= --prune --validate=" "$@" ;;
    *' delete '*) options "${GLOBAL} --ignore-not-found --wait --selector= -l:--selector --filename= -f:--filename --force --grace-period= --cascade= --now" "$@" ;;
    *' create '* | *' replace '*) options "${GLOBAL} --filename= -f:--filename --dry-run= --save-config --validate= --force" "$@" ;;
    *' get '*) options "${GLOBAL} ${GETS}" "$@" ;;
    *) fails "error: unknown command \"${1:-}\" for \"kubectl\"" ;;
  esac
  connect
  "${REST[0]}"
}
