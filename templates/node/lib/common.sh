# shellcheck shell=bash
# Functions that every program of this node uses. Sourced; does nothing by itself.

# Prefix of every message.
PROGRAM="${0##*/}"

PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
# Scripts reach the API on this machine alone: through the load balancer they would wait for themselves.
KUBECONFIG=/etc/kube-cfn/local-admin.conf
export PATH KUBECONFIG

# The last message of `fail` and its code, for the boot program to report.
REASON='' REASON_CODE=''

say() {
  printf '%s: %s\n' "${PROGRAM}" "$*"
}

# fail TEXT: ends the program. `CODE=x fail TEXT` names the cause; kube-cfn knows the codes (boot-causes.json).
fail() {
  # shellcheck disable=SC2034 # the boot program reports both
  REASON="$*" REASON_CODE="${CODE:-other}"
  printf '%s: %s\n' "${PROGRAM}" "$*" >&2
  exit 1
}

# Reads the settings of the bundle and those that only user data knows.
load_environment() {
  local file
  for file in /etc/kube-cfn/node.env /etc/kube-cfn/host.env; do
    [ -r "${file}" ] || fail "read ${file}: it is missing; unpack the node's bundle, and see that user data wrote host.env"
    # shellcheck source=/dev/null
    . "${file}"
  done
  # CloudFormation gives load balancers names with capitals, which kubeadm refuses in an endpoint.
  API_HOST="${API_HOST,,}"
}

# attempt TRIES PAUSE COMMAND...: until the command succeeds, with PAUSE seconds in between.
attempt() {
  local tries="$1" pause="$2" try
  shift 2
  for ((try = 1; try <= tries; try++)); do
    if "$@"; then
      return 0
    fi
    [ "${try}" -eq "${tries}" ] || sleep "${pause}"
  done
  return 1
}

# await SECONDS COMMAND...: until the command succeeds: looks every second at first, then every ten.
await() {
  local left="$1" looks=0 pause=1
  shift
  until "$@"; do
    [ "${left}" -gt 0 ] || return 1
    looks=$((looks + 1))
    [ "${looks}" -lt 30 ] || pause=10
    sleep "${pause}"
    left=$((left - pause))
  done
}

# put PATH MODE: writes standard input there, whole or not at all, and only if something differs. Compute the content
# first: `command | put` would leave an empty file when the command fails. Each step is checked here: bash ignores
# `set -e` in what `if`, `||` and `attempt` call, and a full disk must not put half a file in place.
put() {
  local path="$1" mode="$2"
  mkdir -p "$(dirname "${path}")" || return 1
  if ! (umask 077 && cat > "${path}.new") || ! chmod "${mode}" "${path}.new"; then
    rm -f "${path}.new"
    echo "kube-cfn: write ${path}: it could not be written; see df" >&2
    return 1
  fi
  if cmp -s "${path}.new" "${path}"; then
    chmod "${mode}" "${path}" || return 1
    rm -f "${path}.new"
    return 0
  fi
  # Without the sync, a power cut after the rename could leave an empty file.
  sync "${path}.new" && mv -f "${path}.new" "${path}"
}
