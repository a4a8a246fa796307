# shellcheck shell=bash
# The volume with etcd's data: attaches it, formats it once in its life, mounts it, grows its file system. Sourced; does
# nothing by itself.

ETCD_DIRECTORY=/var/lib/etcd
# Names the volume whose formatting this machine has begun and not finished: it has never held data.
FORMATTING=/var/lib/kube-cfn/formatting

# present NAME: whether the parameter exists. Fails when that can't be read.
present() {
  local status=0
  ec2_parameter "$1" > /dev/null || status=$?
  [ "${status}" -eq 0 ] && return 0
  [ "${status}" -eq 4 ] || CODE=parameter fail "read the parameter $1: SSM does not answer; nothing is formatted until it does"
  return 1
}

# What to do where the data of this slot is gone. With one control-plane node no other member has it.
lost_data_remedy() {
  case "${NODE_SLOTS}" in
    *' '*) printf '%s\n' "run kube-cfn etcd replace-member ${NODE_CLUSTER} ${SLOT}" ;;
    *) printf '%s\n' "see kube-cfn etcd list ${NODE_CLUSTER}; then restore a snapshot of that list" ;;
  esac
}

# Whether the device holds nothing that blkid knows.
blank() {
  local found status=0
  found="$(blkid -p "$1")" || status=$?
  [ "${status}" -eq 2 ] && [ -z "${found}" ]
}

# Whether this slot's member is being replaced. Fails when that can't be read.
being_replaced() {
  local status=0
  etcd_recovery > /dev/null || status=$?
  [ "${status}" -ne 2 ] || CODE=parameter fail "read whether the member of control-plane node ${SLOT} is being replaced: SSM does not answer"
  return "${status}"
}

format_if_new() {
  local device="$1"
  if [ "$(cat "${FORMATTING}" 2> /dev/null || true)" = "${ETCD_VOLUME}" ]; then
    say "format ${ETCD_VOLUME} again: the first time was interrupted"
  elif ! blank "${device}"; then
    return 0
  elif present state/etcd-initialized && ! being_replaced; then
    CODE=etcd-data fail "mount ${ETCD_VOLUME}: it is empty, but the cluster's etcd has had its data; restore the volume of control-plane node ${SLOT} from a snapshot, or $(lost_data_remedy)"
  fi
  put "${FORMATTING}" 644 <<< "${ETCD_VOLUME}"
  sync
  say "format ${ETCD_VOLUME}, which has never been used"
  mkfs.xfs -q -f -L etcd "${device}" || CODE=volume fail "format ${ETCD_VOLUME}: mkfs.xfs failed on ${device}"
  sync
  rm -f "${FORMATTING}"
  # shellcheck disable=SC2034 # control-plane.sh looks at it
  FORMATTED=yes
}

# Grows the mounted file system to the size of its volume; nothing happens where it has that size.
grow_etcd_volume() {
  local said line
  said="$(xfs_growfs -d "${ETCD_DIRECTORY}" 2>&1)" || {
    say "xfs_growfs failed on ${ETCD_DIRECTORY}: ${said##*$'\n'}" >&2
    return 1
  }
  line="$(grep '^data blocks changed' <<< "${said}")" || return 0
  say "the file system of ${ETCD_DIRECTORY} has grown: ${line}"
}

# While other steps run: only attaches it.
attach_etcd_volume() {
  mountpoint -q "${ETCD_DIRECTORY}" || ec2_attach_volume "${SLOT}" > /dev/null \
    || CODE=volume fail "attach the etcd volume of control-plane node ${SLOT}: see the lines above"
}

mount_etcd_volume() {
  local device
  mkdir -p "${ETCD_DIRECTORY}"
  if ! mountpoint -q "${ETCD_DIRECTORY}"; then
    # It is attached: this prints its device.
    device="$(ec2_attach_volume "${SLOT}")" || CODE=volume fail "attach the etcd volume of control-plane node ${SLOT}: see the lines above"
    format_if_new "${device}"
    mount -t xfs -o noatime "${device}" "${ETCD_DIRECTORY}" \
      || CODE=volume fail "mount ${ETCD_VOLUME}: ${device} holds no readable XFS; look at it with blkid -p and xfs_repair -n before anything is formatted"
  fi
  # etcd works as well on the size that there is.
  grow_etcd_volume || say "${ETCD_DIRECTORY} keeps its size for now; kube-cfn-etcd-volume.timer tries again"
  mkdir -p "${ETCD_DIRECTORY}/data"
  chmod 0700 "${ETCD_DIRECTORY}/data"
}
