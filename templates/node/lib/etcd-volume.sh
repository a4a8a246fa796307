# shellcheck shell=bash
# The volume that etcd keeps its data on: attached, formatted once in its life, mounted.

ETCD_DIRECTORY=/var/lib/etcd
# Names the volume that this machine began to format: until the end of that nothing was ever on it.
FORMATTING=/var/lib/kube-cfn/formatting

# present NAME: whether the parameter exists. An answer that does not come is no "no".
present() {
  local status=0
  ec2_parameter "$1" > /dev/null || status=$?
  [ "${status}" -eq 0 ] && return 0
  [ "${status}" -eq 4 ] || fail "read the parameter $1: the store does not answer; nothing is formatted without its word"
  return 1
}

# Whether there is nothing on the device that any program of this system knows.
blank() {
  local found status=0
  found="$(blkid -p "$1")" || status=$?
  [ "${status}" -eq 2 ] && [ -z "${found}" ]
}

format_if_new() {
  local device="$1"
  if [ "$(cat "${FORMATTING}" 2> /dev/null || true)" = "${ETCD_VOLUME}" ]; then
    say "format ${ETCD_VOLUME} again: the first time was cut short"
  elif ! blank "${device}"; then
    return 0
  elif present state/etcd-initialized && ! asked_to_recover ''; then
    fail "mount ${ETCD_VOLUME}: it is empty, but the cluster's etcd has had its data; restore the volume of slot ${SLOT} from a snapshot, or run kube-cfn etcd replace-member ${NODE_CLUSTER} ${SLOT}"
  fi
  put "${FORMATTING}" 644 <<< "${ETCD_VOLUME}"
  sync
  say "format ${ETCD_VOLUME}, which has never been used"
  mkfs.xfs -q -f -L etcd "${device}" || fail "format ${ETCD_VOLUME}: mkfs.xfs failed on ${device}"
  sync
  rm -f "${FORMATTING}"
}

mount_etcd_volume() {
  local device
  mkdir -p "${ETCD_DIRECTORY}"
  if ! mountpoint -q "${ETCD_DIRECTORY}"; then
    device="$(ec2_attach_volume "${SLOT}")" || fail "attach the etcd volume of slot ${SLOT}: see the lines above"
    format_if_new "${device}"
    mount -t xfs -o noatime "${device}" "${ETCD_DIRECTORY}" \
      || fail "mount ${ETCD_VOLUME}: ${device} holds no readable XFS; look at it with blkid -p and xfs_repair -n before anything is formatted"
  fi
  mkdir -p "${ETCD_DIRECTORY}/data"
  chmod 0700 "${ETCD_DIRECTORY}/data"
}

# Whether the slot's member is being replaced; $1 is what it was on this machine so far, if it ever was.
asked_to_recover() {
  local status=0
  etcd_recovering || status=$?
  [ "${status}" -ne 2 ] || [ -n "$1" ] || fail "learn whether the member of slot ${SLOT} is being replaced: the store does not answer"
  return "${status}"
}

# How the member would begin without data: `new` along with all the others, `existing` for one that is
# being replaced. A machine keeps its word, and so does the cluster's token: other flags would restart
# etcd for nothing.
decide_etcd_start() {
  local state=/var/lib/kube-cfn/etcd-state token=/var/lib/kube-cfn/etcd-token
  etcd_boot_guard || fail "start etcd of slot ${SLOT}: a restore is under way on it, see the line above"
  ETCD_STATE="$(cat "${state}" 2> /dev/null || true)"
  if asked_to_recover "${ETCD_STATE}"; then
    ETCD_STATE=existing
  fi
  ETCD_STATE="${ETCD_STATE:-new}"
  put "${state}" 644 <<< "${ETCD_STATE}"
  ETCD_TOKEN="$(etcd_initial_token)" || ETCD_TOKEN="$(cat "${token}" 2> /dev/null)" \
    || fail 'read the parameter state/etcd-token: the store does not answer'
  put "${token}" 644 <<< "${ETCD_TOKEN}"
}
