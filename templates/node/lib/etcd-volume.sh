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
  elif present state/etcd-initialized && ! etcd_recovering "${SLOT}"; then
    fail "mount ${ETCD_VOLUME}: it is empty, but the cluster's etcd has had its data; restore the volume of slot ${SLOT} from a snapshot, or run kube-cfn etcd replace-member ${SLOT}"
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

# How the member would begin without data: `new` along with all the others, `existing` for one that is
# being replaced. A machine keeps its word, and so does the cluster's token: other flags would restart
# etcd for nothing.
decide_etcd_start() {
  local state=/var/lib/kube-cfn/etcd-state token=/var/lib/kube-cfn/etcd-token status=0
  etcd_boot_guard
  ETCD_STATE="$(cat "${state}" 2> /dev/null || true)"
  ! etcd_recovering "${SLOT}" || ETCD_STATE=existing
  put "${state}" 644 <<< "${ETCD_STATE:-new}"
  ETCD_TOKEN="$(ec2_parameter state/etcd-token)" || status=$?
  if [ "${status}" -eq 4 ]; then
    ETCD_TOKEN="${NODE_CLUSTER}"
  elif [ "${status}" -ne 0 ]; then
    ETCD_TOKEN="$(cat "${token}" 2> /dev/null)" || fail 'read the parameter state/etcd-token: the store does not answer'
  fi
  put "${token}" 644 <<< "${ETCD_TOKEN}"
}
