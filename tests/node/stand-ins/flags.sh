# shellcheck shell=bash disable=SC2034
# Sourced by the stand-ins: what all of them share. They stand in for programs that no package registry
# has, and are as strict as those: what the real program would refuse is refused in its words, on standard
# error, with its exit code. Each says where its rules come from. They know nothing of our programs.
#
# Everything is below ROOT; what a machine forgets at a power cut is in ROOT/run, what its cluster and the
# rest of the world hold in ROOT/srv.

ROOT="${STAND_IN_ROOT:-}"

# options TABLE ARGUMENT...: sorts the arguments into OPTION (by long name) and REST. TABLE holds, a word
# each, `--switch`, `--name=` for one with a value, `--name=*` where values add up (a line each), and
# `-n:--name` for another spelling. Calls `unknown_flag` and `no_value` of the program where it has to.
# With FLAGS_FIRST=yes what follows the first argument is an argument, as Go's own package has it.
declare -A OPTION=()
declare -a REST=()
FLAGS_FIRST=no

options() {
  local table=" ${1//$'\n'/ } " word name value
  shift
  OPTION=() REST=()
  while [ "$#" -gt 0 ]; do
    word="$1"
    shift
    case "${word}" in
      --)
        REST+=("$@")
        return
        ;;
      -?*) ;;
      *)
        REST+=("${word}")
        [ "${FLAGS_FIRST}" = no ] || { REST+=("$@") && return; }
        continue
        ;;
    esac
    name="${word%%=*}"
    [[ ! "${table}" =~ \ ${name}:(--[a-z-]+)\  ]] || name="${BASH_REMATCH[1]}"
    if [[ "${table}" == *" ${name}="* ]]; then
      if [[ "${word}" == *=* ]]; then
        value="${word#*=}"
      else
        [ "$#" -gt 0 ] || no_value "${name}"
        value="$1"
        shift
      fi
      [[ "${table}" != *" ${name}=\* "* || -z "${OPTION[${name}]:-}" ]] || value="${OPTION[${name}]}"$'\n'"${value}"
    elif [[ "${table}" == *" ${name} "* ]]; then
      value=true
      [[ "${word}" != *=* ]] || value="${word#*=}"
    else
      unknown_flag "${word}"
    fi
    OPTION["${name}"]="${value}"
  done
}

# The text of a file in TEXT, without a process of its own.
text_of() {
  TEXT=''
  IFS= read -r -d '' TEXT < "$1" || [ -e "$1" ]
}

# The machine's clock in seconds, which only `sleep` moves.
now() {
  NOW=0
  [ ! -e "${ROOT}/run/clock" ] || read -r NOW < "${ROOT}/run/clock"
}

# journal UNIT LINE: what a unit says.
journal() {
  printf '%s: %s\n' "$1" "$2" >> "${ROOT}/srv/journal"
}
