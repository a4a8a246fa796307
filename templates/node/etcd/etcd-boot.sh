# shellcheck shell=bash
# What boot asks about etcd before it writes manifests. Sourced after node.env, host.env and ec2.sh.
# These functions say on stderr and in etcd_error what is wrong, and fail; none of them changes anything.

# Where the slot's tree begins; a node's begins at /.
etcd_root=${etcd_root:-}

# Whether this slot's member is being replaced: state/etcd-recover-SLOT says `existing` then. Afterwards
# `done` stands there, since a machine may write parameters but not delete them.
etcd_recovering() {
  local value status=0
  value=$(ec2_parameter "state/etcd-recover-${SLOT}") || status=$?
  if [ "${status}" -ne 0 ] && [ "${status}" -ne 4 ]; then
    echo "read the parameter state/etcd-recover-${SLOT}: the store does not answer; try again" >&2
    return 2
  fi
  [ "${value}" = existing ]
}

# The value of --initial-cluster-token. A restored cluster has one of its own: with the first one an empty
# disk would not be recognised as a member that lost its data.
etcd_initial_token() {
  local value status=0
  value=$(ec2_parameter state/etcd-token) || status=$?
  if [ "${status}" -ne 0 ] && [ "${status}" -ne 4 ]; then
    echo 'read the parameter state/etcd-token: the store does not answer; try again' >&2
    return 2
  fi
  printf '%s\n' "${value:-${NODE_CLUSTER}}"
}

# Fails while a restore has stopped this slot: boot would start the cluster that is being replaced.
# Ask after the volume is mounted and before manifests are written.
etcd_boot_guard() {
  local token key pending="${etcd_root}/var/lib/etcd/restore/pending"
  [ -e "${pending}" ] || return 0
  read -r token key < "${pending}"
  etcd_error="start etcd of slot ${SLOT}: a restore of ${key} is under way here and not finished; end it with: kube-cfn etcd restore ${NODE_CLUSTER} ${key} --token ${token}"
  echo "${etcd_error}" >&2
  return 3
}
