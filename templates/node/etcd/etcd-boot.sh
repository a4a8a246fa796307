# shellcheck shell=bash disable=SC2154 # etcd-members.sh sets the places
# How the member of this slot begins: with all the others, as a learner of a cluster that runs, or not yet. Sourced by
# boot and by the programs for etcd, after node.env, host.env, ec2.sh, etcd-members.sh and etcd-pods.sh.
# These functions say on stderr, and most in etcd_error, what is wrong, and fail.

# The member id that the data on the volume was begun for, while or after its member was replaced. Data never meets
# another id: etcd counts on a member to keep what it has acknowledged.
etcd_rejoined="${etcd_home}/rejoined"

# What state/etcd-recover-SLOT says: `existing ID` while this slot's member is being replaced, ID being that of its
# learner. `done` afterwards, since a machine may write parameters but not delete them. Prints the id, `-` for a request
# without one; fails with 1 when the member is not being replaced, with 2 when the store does not answer.
etcd_recovery() {
  local value status=0
  value=$(ec2_parameter "state/etcd-recover-${SLOT}") || status=$?
  if [ "${status}" -ne 0 ] && [ "${status}" -ne 4 ]; then
    echo "read the parameter state/etcd-recover-${SLOT}: the store does not answer; try again" >&2
    return 2
  fi
  case "${value}" in
    existing) echo - ;;
    'existing '*) printf '%s\n' "${value#existing }" ;;
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
    echo 'read the parameter state/etcd-token: the store does not answer; try again' >&2
    return 2
  fi
  printf '%s\n' "${value:-${NODE_CLUSTER}}"
}

# Fails while a restore has stopped this slot: boot would start the cluster that is being replaced.
# Ask after the volume is mounted and before manifests are written.
etcd_boot_guard() {
  local token key pending="${etcd_home}/restore/pending"
  [ -e "${pending}" ] || return 0
  read -r token key < "${pending}"
  etcd_error="start etcd of slot ${SLOT}: a restore of ${key} is under way here and not finished; end it with: kube-cfn etcd restore ${NODE_CLUSTER} ${key} --token ${token}"
  echo "${etcd_error}" >&2
  return 3
}

# Sets how etcd is started: ETCD_STATE, ETCD_RECOVERY (as etcd_recovery prints it; empty while the member is not being
# replaced) and ETCD_TOKEN. The state is `new` along with all the others, `existing` for a member that was replaced on
# this machine. A machine remembers both flags, for others would restart etcd for nothing, and so it needs no answer of
# the store once it knows them. Needs common.sh.
etcd_decide_start() {
  local memory="${etcd_root}/var/lib/kube-cfn" status=0
  etcd_boot_guard || return 1
  etcd_error="remember in ${memory} how etcd is started: the disk does not take it"
  ETCD_STATE=$(cat "${memory}/etcd-state" 2> /dev/null || true)
  ETCD_RECOVERY=$(etcd_recovery) || status=$?
  if [ "${status}" -eq 2 ] && [ -z "${ETCD_STATE}" ]; then
    etcd_error="learn whether the member of slot ${SLOT} is being replaced: the store does not answer"
    return 1
  fi
  [ "${status}" -ne 0 ] || ETCD_STATE=existing
  ETCD_STATE=${ETCD_STATE:-new}
  put "${memory}/etcd-state" 644 <<< "${ETCD_STATE}" || return 1
  ETCD_TOKEN=$(etcd_initial_token) || ETCD_TOKEN=$(cat "${memory}/etcd-token" 2> /dev/null) || {
    etcd_error='read the parameter state/etcd-token: the store does not answer'
    return 1
  }
  put "${memory}/etcd-token" 644 <<< "${ETCD_TOKEN}" || return 1
}

etcd_has_data() { [ -e "${etcd_data}/member" ]; }

# Called by boot between the certificates and etcd's manifest, with ETCD_STATE and ETCD_RECOVERY set. A member begins
# without data only as a learner that has never started. Data of another id is set aside first.
etcd_prepare_member() {
  local members line id began
  [ "${ETCD_STATE}" = existing ] || return 0
  began=$(cat "${etcd_rejoined}" 2> /dev/null || true)
  if etcd_has_data; then
    case "${ETCD_RECOVERY}" in '' | - | "${began}") return 0 ;; esac
  fi
  members=$(etcd_members "${SLOT}") || {
    etcd_error="start etcd of slot ${SLOT} as a new member: no other member answers with a leader; start a majority of the slots first"
    return 1
  }
  line=$(etcd_member_of "${SLOT}" "${members}")
  id=${line%% *}
  if [[ ${line} != *' unstarted '*' true '* ]] || { [ "${ETCD_RECOVERY:--}" != - ] && [ "${id}" != "${ETCD_RECOVERY}" ]; }; then
    etcd_error="start etcd of slot ${SLOT} without data: the other members list no learner of it that has never started; run kube-cfn etcd replace-member ${NODE_CLUSTER} ${SLOT}"
    return 1
  fi
  [ "${began}" != "${id}" ] || return 0
  if ! { etcd_stop_pods && etcd_set_aside "before-${id}" && etcd_note_rejoined "${id}"; }; then
    etcd_error="set the old data of slot ${SLOT} aside: see the lines above"
    return 1
  fi
}

etcd_note_rejoined() {
  printf '%s\n' "$1" > "${etcd_rejoined}.draft" && sync "${etcd_rejoined}.draft" && mv "${etcd_rejoined}.draft" "${etcd_rejoined}"
}

# Called by boot when the API server answers: a member with a vote must never again begin without data, also where the
# program that gave it the vote was cut off before it said so.
etcd_close_recovery() {
  [ -n "${ETCD_RECOVERY}" ] || return 0
  local status
  status=$(etcd_status_of "${SLOT}") || return 1
  [ "$(etcd_field IsLearner "${status}")" = false ] || return 0
  etcd_end_recovery "${SLOT}"
}
