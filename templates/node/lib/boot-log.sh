# shellcheck shell=bash
# Stores the log of a failed boot: its end goes to the state bucket, without the value of any parameter.

# About as much as a console keeps.
LOG_LINES=500
LOG_BYTES=65536
# Is there while the newest stored log of this machine is that of a failure.
LOG_STORED=/var/lib/kube-cfn/boot-log-stored

# Collects every value that this boot reads or writes, and what it has asked for early: in memory, readable by root alone,
# until the boot ends. Call it when no other boot runs: it removes what a killed one left.
track_values() {
  rm -f /run/kube-cfn/values.*
  EC2_VALUES="/run/kube-cfn/values.$$" EC2_PREFETCHED="/run/kube-cfn/values.$$.early"
  (umask 077 && : > "${EC2_VALUES}")
  export EC2_VALUES EC2_PREFETCHED
}

forget_values() {
  rm -f "/run/kube-cfn/values.$$" "/run/kube-cfn/values.$$".*
}

# Standard input with [value] in place of every line of a value, and of every longer word of one: a line of a file
# can be part of a line of a log. A value as short as "yes" is replaced only where it is a whole line of the log.
without_values() {
  local LC_ALL=C text line word
  text=$'\n'"$(cat)"$'\n'
  while read -r line; do
    if [ "${#line}" -ge 6 ]; then
      text="${text//"${line}"/[value]}"
      continue
    fi
    while [ -n "${line}" ] && [[ "${text}" == *$'\n'"${line}"$'\n'* ]]; do
      text="${text/$'\n'"${line}"$'\n'/$'\n[value]\n'}"
    done
  done < "${EC2_VALUES:-/dev/null}"
  while read -r line; do
    for word in ${line//[^A-Za-z0-9+\/=_-]/ }; do
      [ "${#word}" -lt 12 ] || text="${text//"${word}"/[value]}"
    done
  done < "${EC2_VALUES:-/dev/null}"
  printf %s "${text#$'\n'}"
}

# end_of LINES COMMAND...: prints the end of what a command prints, for the log of a boot that fails.
end_of() {
  local text
  text="$("${@:2}" 2>&1 | tail --lines "$1" | without_values)" || true
  [ -z "${text}" ] || printf '%s\n' "${text}"
}

# The file systems of a node that have no space left, one a line: what could not be written, often by another program, is
# in the lines above.
full_file_systems() {
  local place left mounted
  for place in / /run /tmp /usr/local/bin /var/lib /var/lib/containerd /var/lib/etcd; do
    read -r left mounted < <(df --output=avail,target "${place}" 2> /dev/null | tail --lines 1) || continue
    [ "${left}" = - ] || [ "${left:-1024}" -ge 1024 ] || printf '%s\n' "${mounted}"
  done | sort --unique
}

# store_log STATUS LAST: stores the journal of this attempt as an object, for people and for kube-cfn; its key contains the id
# of this machine. Nothing depends on it, so a failure is only reported.
store_log() {
  local file=/run/kube-cfn/boot.log key
  key="$(date --utc +%Y%m%dT%H%M%SZ).log"
  journalctl --sync || true
  {
    printf '%s of %s, attempt %s\n' "${NODE_ROLE}" "${NODE_CLUSTER}" "${ATTEMPT}"
    journalctl --quiet --no-pager --output cat --lines "${LOG_LINES}" "_SYSTEMD_INVOCATION_ID=${INVOCATION_ID:-}" || true
    printf '%s\n' "$2"
  } | without_values | tail --bytes "${LOG_BYTES}" > "${file}"
  if ! ec2_store_own "${file}" "${key}"; then
    say 'the log was not stored; see journalctl -u kube-cfn-boot'
  elif [ "$1" -eq 0 ]; then
    rm -f "${LOG_STORED}"
  else
    mkdir -p "${LOG_STORED%/*}"
    : > "${LOG_STORED}"
  fi
  rm -f "${file}"
}
