# shellcheck shell=bash disable=SC2154 # etcd-members.sh sets the paths
# How the member of this slot starts: with all the others, as a learner of a running cluster, or not yet. Sourced by
# boot and by the programs for etcd, after node.env, host.env, ec2.sh, etcd-members.sh and etcd-pods.sh.
# These functions report errors on stderr, most of them also in etcd_error, and fail.

# The member id that the data on the volume was started with, while or after its member was replaced. Data is never used
# with another id: etcd relies on a member to keep what it has acknowledged.
etcd_rejoined="${etcd_home}/rejoined"

# What state/etcd-recover-SLOT says: `existing ID` while this slot's member is being replaced, ID being that of its
# learner. `done` afterwards, since a machine may write parameters but not delete them. Prints the id, `-` for a request
# without a valid one; fails with 1 when the member is not being replaced, with 2 when SSM does not answer.
etcd_recovery() {
  local value status=0
  value=$(ec2_parameter "state/etcd-recover-${SLOT}") || status=$?
  if [ "${status}" -ne 0 ] && [ "${status}" -ne 4 ]; then
    echo "read the parameter state/etcd-recover-${SLOT}: SSM does not answer; try again" >&2
    return 2
  fi
  case "${value}" in
    existing) echo - ;;
    'existing '*)
      value=${value#existing }
      if [[ ${value} =~ ^[0-9a-f]{1,16}$ ]]; then printf '%s\n' "${value}"; else echo -; fi
      ;;
    *) return 1 ;;
  esac
}

etcd_end_recovery() { ec2_put_parameter "state/etcd-recover-$1" <<< 'done'; }

# The value of --initial-cluster-token. A restored cluster has one of its own: with the first one an empty
# disk would not be recognised as a member that lost its data.
etcd_initial_token() {
  local value status=0
  value=$(ec2_parameter state/etcd-token) || status=$?
  if [ "${status}" -ne 0 ] && [ "${status}" -ne 4 ]; then
    echo 'read the parameter state/etcd-token: SSM does not answer; try again' >&2
    return 2
  fi
  # It becomes a part of a manifest.
  if ! [[ ${value:-${NODE_CLUSTER}} =~ ^[a-z0-9][a-z0-9-]{0,79}$ ]]; then
    echo 'read the parameter state/etcd-token: it is no token of a restore; delete it, or set the one that the restore printed' >&2
    return 2
  fi
  printf '%s\n' "${value:-${NODE_CLUSTER}}"
}

# Fails while a restore has stopped this slot: boot would start the cluster that is being replaced. Call it after the
# volume is mounted and before manifests are written. An empty file is left by a write that was interrupted before
# anything was stopped: the restore writes it again.
etcd_boot_guard() {
  local token key pending="${etcd_home}/restore/pending"
  [ -s "${pending}" ] || return 0
  read -r token key < "${pending}"
  etcd_error="start etcd of control-plane node ${SLOT}: a restore of ${key} is under way here and not finished; end it with: kube-cfn etcd restore ${NODE_CLUSTER} ${key} --token ${token}"
  echo "${etcd_error}" >&2
  return 3
}

# Sets how etcd is started: ETCD_STATE, ETCD_RECOVERY (as etcd_recovery prints it; empty while the member is not being
# replaced) and ETCD_TOKEN. The state is `new` along with all the others, `existing` for a member that was replaced on
# this machine. Both are stored on the machine: other flags would restart etcd, and later boots need no answer of SSM.
# Needs common.sh.
etcd_decide_start() {
  local stored="${etcd_root}/var/lib/kube-cfn" status=0
  etcd_boot_guard || return 1
  etcd_error="write to ${stored} how etcd is started: the disk refuses it"
  ETCD_STATE=$(cat "${stored}/etcd-state" 2> /dev/null || true)
  ETCD_RECOVERY=$(etcd_recovery) || status=$?
  if [ "${status}" -eq 2 ] && [ -z "${ETCD_STATE}" ]; then
    etcd_error="read whether the member of control-plane node ${SLOT} is being replaced: SSM does not answer"
    return 1
  fi
  [ "${status}" -ne 0 ] || ETCD_STATE=existing
  ETCD_STATE=${ETCD_STATE:-new}
  put "${stored}/etcd-state" 644 <<< "${ETCD_STATE}" || return 1
  ETCD_TOKEN=$(etcd_initial_token) || ETCD_TOKEN=$(cat "${stored}/etcd-token" 2> /dev/null) || {
    etcd_error='read the parameter state/etcd-token: SSM does not answer, or it holds no token'
    return 1
  }
  put "${stored}/etcd-token" 644 <<< "${ETCD_TOKEN}" || return 1
}

etcd_has_data() { [ -e "${etcd_data}/member" ]; }

# Called by boot between the certificates and etcd's manifest, with ETCD_STATE and ETCD_RECOVERY set. A member starts
# without data only as a learner that has never started. Data of another id is set aside first.
etcd_prepare_member() {
  local members line id started_id
  [ "${ETCD_STATE}" = existing ] || return 0
  started_id=$(cat "${etcd_rejoined}" 2> /dev/null || true)
  if etcd_has_data; then
    case "${ETCD_RECOVERY}" in '' | - | "${started_id}") return 0 ;; esac
  fi
  members=$(etcd_members "${SLOT}") || {
    etcd_error="start etcd of control-plane node ${SLOT} as a new member: no other member answers with a leader; start a majority of the control-plane nodes first"
    return 1
  }
  line=$(etcd_member_of "${SLOT}" "${members}")
  id=${line%% *}
  if [[ ${line} != *' unstarted '*' true '* ]] || { [ "${ETCD_RECOVERY:--}" != - ] && [ "${id}" != "${ETCD_RECOVERY}" ]; }; then
    etcd_error="start etcd of control-plane node ${SLOT} without data: the other members list no learner of it that has never started; run kube-cfn etcd replace-member ${NODE_CLUSTER} ${SLOT}"
    return 1
  fi
  [ "${started_id}" != "${id}" ] || return 0
  if ! { etcd_stop_pods && etcd_set_aside "before-${id}" && etcd_note_rejoined "${id}"; }; then
    etcd_error="set the old data of control-plane node ${SLOT} aside: see the lines above"
    return 1
  fi
}

etcd_note_rejoined() {
  printf '%s\n' "$1" > "${etcd_rejoined}.draft" && sync "${etcd_rejoined}.draft" && mv "${etcd_rejoined}.draft" "${etcd_rejoined}"
}

# Called by boot when the API server answers: a member with a vote must never again start without data, also when the
# program that promoted it was interrupted before it wrote that.
etcd_close_recovery() {
  [ -n "${ETCD_RECOVERY}" ] || return 0
  local status
  status=$(etcd_status_of "${SLOT}") || return 1
  [ "$(etcd_field IsLearner "${status}")" = false ] || return 0
  etcd_end_recovery "${SLOT}"
}
