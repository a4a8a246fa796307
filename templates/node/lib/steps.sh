# shellcheck shell=bash
# The steps of a boot: what each takes, and those that run at the same time. Sourced, after common.sh; does nothing by
# itself. Times are those of the kernel, which begin when the machine is switched on.

# What steps leave for `finish`: another boot may wait for this one, and be interrupted meanwhile.
STEPS="/run/kube-cfn/steps.$$"
# The step that runs, when it began, and what the steps before it took. Programs have the name in their environment: what
# traces them (tests/node does) can tell steps that run at the same time apart.
export STEP=''
STEP_BEGAN=0 TOOK='' TOOK_BESIDE=''
BOOT_BEGAN=0
# Process of each step that runs beside the others.
declare -A BESIDE=()

# Tenths of a second since power-on.
tenths() {
  local up
  read -r up _ < /proc/uptime
  up="${up/./}"
  printf '%s\n' "${up%?}"
}

# seconds TENTHS: as text.
seconds() {
  printf '%d.%d\n' "$(($1 / 10))" "$(($1 % 10))"
}

# Before the first step, when no other boot runs: removes what a killed one left.
begin_boot() {
  BOOT_BEGAN="$(tenths)"
  rm -rf /run/kube-cfn/steps.*
  mkdir -p "${STEPS}"
}

end_step() {
  [ -z "${STEP}" ] || TOOK+="${TOOK:+, }${STEP} $(seconds "$(($(tenths) - STEP_BEGAN))")"
  STEP=''
}

# step NAME: begins one, which ends the one before it.
step() {
  end_step
  STEP="$1" STEP_BEGAN="$(tenths)"
  say "${STEP}: $(seconds "${STEP_BEGAN}") s after power-on"
}

# What the whole boot took, each of its steps, and those that ran beside them.
say_steps() {
  end_step
  say "boot took $(seconds "$(($(tenths) - BOOT_BEGAN))") s: ${TOOK}; at the same time: ${TOOK_BESIDE:-nothing}"
}

# beside NAME COMMAND...: runs a step at the same time as what follows, until `finish NAME`. It has a process group of its
# own: what it has started ends with it, or it would keep boot's lock. A step of a step is in the group of that.
beside() {
  local name="$1"
  shift
  [ "${BASHPID}" != "$$" ] || set -m
  run_beside "${name}" "$@" &
  set +m
  BESIDE["${name}"]=$!
}

run_beside() {
  set +m
  STEP="$1" STEP_BEGAN="$(tenths)" REASON='' REASON_CODE=''
  shift
  trap note_end EXIT
  trap - TERM INT HUP
  "$@"
}

# What a step leaves for `finish`: its time, and on a failure the code and the reason.
# shellcheck disable=SC2329 # the EXIT trap calls it
note_end() {
  local status=$?
  trap - EXIT
  [ ! -d "${STEPS}" ] \
    || printf '%s %s %s\n' "$(seconds "$(($(tenths) - STEP_BEGAN))")" "${REASON_CODE:--}" "${REASON}" > "${STEPS}/${STEP}"
  exit "${status}"
}

# finish NAME...: waits for these steps. Where one has failed, this program ends as if it had failed here.
finish() {
  local name took code reason status
  for name in "$@"; do
    status=0 took='' code='' reason=''
    wait "${BESIDE["${name}"]}" || status=$?
    read -r took code reason < "${STEPS}/${name}" || true
    if [ "${status}" -ne 0 ]; then
      REASON="${reason:-the step ${name} ended with exit code ${status}, see journalctl -u kube-cfn-boot}"
      REASON_CODE="${code:-other}"
      [ "${REASON_CODE}" != - ] || REASON_CODE=other
      exit "${status}"
    fi
    unset 'BESIDE["${name}"]'
    TOOK_BESIDE+="${TOOK_BESIDE:+, }${name} ${took}"
  done
}

# At the end of a boot: ends what still runs, after a failure.
end_steps() {
  rm -rf "${STEPS}"
  [ "${#BESIDE[@]}" -eq 0 ] || kill -- "${BESIDE[@]/#/-}" 2> /dev/null
}
