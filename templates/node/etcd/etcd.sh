# shellcheck shell=bash
# Functions of the programs for etcd: their result line, their lock, how they stop and start this slot. Sourced, never run.
#
# All paths lie below the root of the tree that this file is in, which on a node is /.

etcd_root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../.." && pwd)
etcd_root=${etcd_root%/}
# shellcheck source=/dev/null
. "${etcd_root}/etc/kube-cfn/node.env"
# shellcheck source=/dev/null
. "${etcd_root}/etc/kube-cfn/host.env"
# shellcheck source=/dev/null
. "${etcd_root}/opt/kube-cfn/lib/ec2.sh"
# shellcheck source=templates/node/etcd/etcd-members.sh
. "${etcd_root}/opt/kube-cfn/lib/etcd-members.sh"
# shellcheck source=templates/node/etcd/etcd-pods.sh
. "${etcd_root}/opt/kube-cfn/lib/etcd-pods.sh"
# shellcheck source=templates/node/etcd/etcd-boot.sh
. "${etcd_root}/opt/kube-cfn/lib/etcd-boot.sh"

# Systems Manager starts programs with a short PATH.
PATH="${PATH}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin"

# On the volume: a half-finished restore moves with the slot to its next machine.
# shellcheck disable=SC2034 # the programs use it
etcd_restores="${etcd_home}/restore"

etcd_program=$(basename "$0")
etcd_step='start'
etcd_error=''
etcd_answered=''

etcd_say() { printf '%s: %s\n' "${etcd_program}" "$*" >&2; }

# Prints the step that begins; the message of a failure names it.
etcd_doing() {
  etcd_step=$1
  etcd_say "$1"
}

etcd_die() {
  etcd_error=$1
  etcd_say "$1"
  exit "${2:-1}"
}

etcd_json_text() {
  local text=$1
  text=${text//\\/\\\\}
  text=${text//\"/\\\"}
  text=${text//$'\n'/\\n}
  text=${text//$'\t'/\\t}
  printf '"%s"' "${text//[[:cntrl:]]/}"
}

# The one line on stdout. Takes names and JSON values in turn; etcd_json_text makes a value of a text.
etcd_result() {
  local line
  line="{\"program\":$(etcd_json_text "${etcd_program}"),\"slot\":$(etcd_json_text "${SLOT:?}")"
  while [ $# -gt 1 ]; do
    line+=",$(etcd_json_text "$1"):$2"
    shift 2
  done
  etcd_answered=yes
  printf '%s}\n' "${line}"
}

# shellcheck disable=SC2329 # the EXIT trap calls it
etcd_end() {
  local code=$?
  [ -z "${etcd_scratch:-}" ] || rm -rf "${etcd_scratch}"
  if [ "${code}" -ne 0 ] && [ -z "${etcd_answered}" ]; then
    [ -n "${etcd_error}" ] || etcd_error="failed to ${etcd_step} (exit code ${code}); see the lines above; run it again to continue"
    etcd_result ok false error "$(etcd_json_text "${etcd_error}")"
  fi
  exit "${code}"
}

# Every program calls this first: from here on there is a result line in every case.
etcd_begin() {
  trap etcd_end EXIT
  umask 077
}

# One program at a time works on this slot's etcd; a second one waits for the first.
etcd_lock() {
  mkdir -p "${etcd_root}/run"
  exec 9> "${etcd_root}/run/kube-cfn-etcd.lock"
  flock --wait "${ETCD_LOCK_SECONDS:-300}" 9 \
    || etcd_die "wait for the other etcd program on this node: it did not end; look with: fuser -v ${etcd_root}/run/kube-cfn-etcd.lock"
}

# Stops boot, which would start the kubelet, then the kubelet and the control plane's pods. Keeps boot's lock until
# etcd_start or the program's end: boot may have been started manually.
etcd_stop() {
  etcd_stop_unit kube-cfn-boot.service || etcd_die 'stop boot: see the lines above; run it again to continue'
  exec 8> "${etcd_root}/run/kube-cfn-boot.lock"
  flock --wait 60 8 || etcd_die 'wait for a manually started boot: it did not end; see: fuser -v /run/kube-cfn-boot.lock'
  etcd_stop_pods || etcd_die 'stop etcd and the API server: see the lines above; run it again to continue'
}

# Moves the manifests back, starts the kubelet and boots again: boot finishes a slot that never started etcd, or whose
# boot etcd_stop interrupted. Its messages are in the journal.
etcd_start() {
  exec 8>&-
  etcd_return_manifests
  [ ! -e "${etcd_manifests}/etcd.yaml" ] || systemctl start kubelet.service >&2 \
    || etcd_die 'start the kubelet: systemd refused; see: systemctl status kubelet'
  etcd_boot_again start
}

# etcd_boot_again start|restart
etcd_boot_again() {
  systemctl "$1" --no-block kube-cfn-boot.service >&2 \
    || etcd_die 'boot again: systemd refused; see: systemctl status kube-cfn-boot; then run this again'
}
