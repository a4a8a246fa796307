# shellcheck shell=bash
# What every program of this node uses. Sourced; does nothing by itself.

# Who speaks.
PROGRAM="${0##*/}"

PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
# Scripts reach the API on this machine alone: through the load balancer they would wait for themselves.
KUBECONFIG=/etc/kube-cfn/local-admin.conf
export PATH KUBECONFIG

# The last thing said by `fail`, for who has to pass it on.
REASON=''

say() {
  printf '%s: %s\n' "${PROGRAM}" "$*"
}

fail() {
  # shellcheck disable=SC2034 # the boot program passes it on
  REASON="$*"
  printf '%s: %s\n' "${PROGRAM}" "$*" >&2
  exit 1
}

# The facts of the bundle and what only user data knows.
load_facts() {
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

# put PATH MODE: writes standard input there, whole or not at all, and only if something differs.
# Give it what is known already: of `command | put` an empty file would be left when the command fails.
put() {
  local path="$1" mode="$2"
  mkdir -p "$(dirname "${path}")"
  (umask 077 && cat > "${path}.new")
  chmod "${mode}" "${path}.new"
  if cmp -s "${path}.new" "${path}"; then
    chmod "${mode}" "${path}"
    rm -f "${path}.new"
    return 0
  fi
  # A rename that outlives the content's way to the disk would leave an empty file after a power cut.
  sync "${path}.new"
  mv -f "${path}.new" "${path}"
}

# slot_address LETTER: the fixed address of a slot; nothing for an unknown one.
slot_address() {
  local pair
  for pair in ${NODE_SLOTS}; do
    [ "${pair%%=*}" != "$1" ] || printf '%s\n' "${pair#*=}"
  done
}
