# shellcheck shell=bash
# Stands in for systemctl of systemd 252 (src/systemctl): units are the files in /etc/systemd/system and those
# that the system itself has. A unit that runs is a file in ROOT/run/units; one in ROOT/srv/units-that-fail does not start.

UNITS="${ROOT}/etc/systemd/system"

unknown_flag() {
  echo "systemctl: unrecognized option '${1%%=*}'" >&2
  exit 1
}

no_value() {
  echo "systemctl: option '$1' requires an argument" >&2
  exit 1
}

known_unit() {
  case "$1" in
    systemd-modules-load.service | systemd-sysctl.service | systemd-networkd.service) ;;
    *) [ -e "${UNITS}/$1" ] ;;
  esac
}

# setting UNIT NAME: the last value of a setting in VALUE, with lines joined as systemd does.
setting() {
  local line whole='' file
  VALUE=''
  for file in "${UNITS}/$1" "${UNITS}/$1".d/*.conf; do
    [ -e "${file}" ] || continue
    while IFS= read -r line; do
      whole+="${line}"
      [[ "${whole}" != *\\ ]] || { whole="${whole%\\}" && continue; }
      [[ "${whole}" != "$2="* ]] || VALUE="${whole#*=}"
      whole=''
    done < "${file}"
  done
}

# A condition that does not hold skips the unit, and that is no failure (systemd.unit(5)).
condition_holds() {
  setting "$1" ConditionPathIsMountPoint
  [ -z "${VALUE}" ] || [ -e "${ROOT}/run/mounted" ]
}

# What the unit runs, and whether it is there; a timer has to have a unit to start.
executable() {
  local unit="$1"
  [ ! -e "${ROOT}/srv/units-that-fail/${unit}" ] || return 1
  if [[ "${unit}" == *.timer ]]; then
    setting "${unit}" Unit
    unit="${VALUE:-${unit%.timer}.service}"
    known_unit "${unit}"
    return
  fi
  setting "${unit}" ExecStart
  [ -z "${VALUE}" ] || [ -x "${ROOT}${VALUE%% *}" ]
}

start_unit() {
  local unit="$1"
  [ ! -e "${ROOT}/run/units/${unit}" ] && condition_holds "${unit}" || return 0
  if ! executable "${unit}"; then
    [ "${unit}" != kubelet.service ] || return 0
    [ -z "${OPTION[--no-block]:-}" ] || return 0
    echo "Job for ${unit} failed because the control process exited with error code." >&2
    exit 1
  fi
  mkdir -p "${ROOT}/run/units" "${PODS}"
  : > "${ROOT}/run/units/${unit}"
  [ "${unit}" != kubelet.service ] || kubelet_of_the_unit
  setting "${unit}" Type
  [ "${VALUE}" != oneshot ] || [ -n "${OPTION[--no-block]:-}" ] || run_oneshot "${unit}"
}

# A job for a unit of type oneshot ends with its program, which ROOT/srv/journal hears.
run_oneshot() {
  local -a words
  setting "$1" ExecStart
  read -r -a words <<< "${VALUE}"
  [ "${#words[@]}" -gt 0 ] || return 0
  "${ROOT}${words[0]}" "${words[@]:1}" >> "${ROOT}/srv/journal-of-$1" 2>&1 && return 0
  rm -f "${ROOT}/run/units/$1"
  echo "Job for $1 failed because the control process exited with error code." >&2
  exit 1
}

# The command line as systemd makes it of the unit's ExecStart and EnvironmentFile.
kubelet_of_the_unit() {
  local command file
  local -a words
  setting kubelet.service ExecStart
  command="${VALUE}"
  setting kubelet.service EnvironmentFile
  file="${ROOT}${VALUE#-}" TEXT=''
  [ ! -e "${file}" ] || text_of "${file}"
  TEXT="${TEXT#KUBELET_KUBEADM_ARGS=\"}"
  read -r -a words <<< "${command//\$KUBELET_KUBEADM_ARGS/${TEXT%\"*}}"
  start_kubelet "${words[@]:1}"
}

stop_unit() {
  [ -e "${ROOT}/run/units/$1" ] || return 0
  rm -f "${ROOT}/run/units/$1"
  [ "$1" != kubelet.service ] || stop_kubelet
}

# One property, of a unit that there may not be: such a one is inactive.
show() {
  [ "${OPTION[--property]:-}" = ActiveState ] && [ -n "${OPTION[--value]:-}" ] || unknown_flag --property
  if [ -e "${ROOT}/run/units/$1" ]; then echo active; else echo inactive; fi
}

main() {
  local verb unit
  options '--no-block --now --quiet -q:--quiet --property= -p:--property --value' "$@"
  verb="${REST[0]:-}"
  case "${verb}" in
    daemon-reload) return ;;
    show)
      show "${REST[1]}"
      return
      ;;
    start | stop | restart | try-restart | enable | is-active) ;;
    *)
      echo "Unknown command verb '${verb}', did you mean 'start'?" >&2
      exit 1
      ;;
  esac
  for unit in "${REST[@]:1}"; do
    [[ "${unit}" == *.* ]] || unit+=.service
    if ! known_unit "${unit}"; then
      case "${verb}" in
        enable) echo "Failed to enable unit: Unit file ${unit} does not exist." >&2 && exit 1 ;;
        is-active) exit 4 ;;
        *) echo "Failed to ${verb} ${unit}: Unit ${unit} not found." >&2 && exit 5 ;;
      esac
    fi
    case "${verb}" in
      start) start_unit "${unit}" ;;
      stop) stop_unit "${unit}" ;;
      restart) stop_unit "${unit}" && start_unit "${unit}" ;;
      try-restart) [ ! -e "${ROOT}/run/units/${unit}" ] || { stop_unit "${unit}" && start_unit "${unit}"; } ;;
      is-active) [ -e "${ROOT}/run/units/${unit}" ] || exit 3 ;;
    esac
  done
}
