# shellcheck shell=bash disable=SC2034,SC2153
# Sourced: documents of block YAML against a table of fields, as Kubernetes' strict decoding reads them
# (sigs.k8s.io/yaml UnmarshalStrict): an unknown field, a field twice and a value of another type are errors.

declare -a YAML_DOCUMENT=() YAML_PATH=() YAML_RAW=()
# The misfit of each document that was looked for already.
declare -A YAML_MISFIT=()

# read_yaml FILE: every key and every item of a list, with the number of its document. A path such as
# `nodeRegistration.taints[].key` is the same for all items of a list. Files are read many times in the life
# of a machine: what was found is kept beside the text that it was found in.
read_yaml() {
  local kept="${ROOT}/srv/cache/${1//\//_}" before='' text
  text_of "$1"
  text="${TEXT}"
  # shellcheck source=/dev/null
  [ ! -e "${kept}" ] || . "${kept}"
  YAML_KEPT="${kept}" YAML_TEXT="${text}"
  [ "${before}" != "${text}" ] || return 0
  YAML_MISFIT=()
  parse_yaml "$1" && keep_yaml
}

keep_yaml() {
  local document
  {
    printf 'before=%q YAML_DOCUMENT=(%s) YAML_PATH=(%s) YAML_RAW=(' "${YAML_TEXT}" "${YAML_DOCUMENT[*]}" "${YAML_PATH[*]@Q}"
    printf '%q ' "${YAML_RAW[@]}"
    printf ') YAML_MISFIT=('
    for document in "${!YAML_MISFIT[@]}"; do
      printf '[%q]=%q ' "${document}" "${YAML_MISFIT[${document}]}"
    done
    echo ')'
  } > "${YAML_KEPT}"
}

parse_yaml() {
  local line rest indent document=0 depth=0
  local -a indents=() paths=('')
  YAML_DOCUMENT=() YAML_PATH=() YAML_RAW=()
  while IFS= read -r line || [ -n "${line}" ]; do
    rest="${line#"${line%%[! ]*}"}"
    indent=$((${#line} - ${#rest}))
    case "${rest}" in
      '' | '#'*) continue ;;
      ---)
        document=$((document + 1)) depth=0
        continue
        ;;
      '- '*)
        while ((depth > 0)) && { ((indents[depth] > indent)) || { ((indents[depth] == indent)) && [[ "${paths[depth]}" == *'[]' ]]; }; }; do
          depth=$((depth - 1))
        done
        depth=$((depth + 1))
        indents[depth]="${indent}"
        paths[depth]="${paths[depth - 1]}[]"
        rest="${rest#- }"
        indent=$((indent + 2))
        if ! [[ "${rest}" =~ ^[A-Za-z0-9._/-]+:(\ |$) ]]; then
          YAML_DOCUMENT+=("${document}") YAML_PATH+=("${paths[depth]}") YAML_RAW+=("${rest}")
          continue
        fi
        ;;
    esac
    [[ "${rest}" =~ ^([A-Za-z0-9._/-]+):(\ +(.*))?$ ]] || return 1
    while ((depth > 0)) && ((indents[depth] >= indent)); do
      depth=$((depth - 1))
    done
    depth=$((depth + 1))
    indents[depth]="${indent}"
    paths[depth]="${paths[depth - 1]:+${paths[depth - 1]}.}${BASH_REMATCH[1]}"
    YAML_DOCUMENT+=("${document}") YAML_PATH+=("${paths[depth]}") YAML_RAW+=("${BASH_REMATCH[3]:-}")
  done < "$1"
}

# plain RAW: the value of a scalar in PLAIN.
plain() {
  PLAIN="$1"
  [[ "${PLAIN}" != \"*\" ]] || { PLAIN="${PLAIN#\"}" && PLAIN="${PLAIN%\"}"; }
}

# field DOCUMENT PATH: the first value there in PLAIN; fails where there is none.
field() {
  local at
  for at in "${!YAML_PATH[@]}"; do
    if [ "${YAML_DOCUMENT[at]}" = "$1" ] && [ "${YAML_PATH[at]}" = "$2" ]; then
      plain "${YAML_RAW[at]}"
      return 0
    fi
  done
  PLAIN=''
  return 1
}

# items DOCUMENT PATH: all values there in ITEMS.
items() {
  local at
  ITEMS=()
  for at in "${!YAML_PATH[@]}"; do
    if [ "${YAML_DOCUMENT[at]}" = "$1" ] && [ "${YAML_PATH[at]}" = "$2" ]; then
      plain "${YAML_RAW[at]}"
      ITEMS+=("${PLAIN}")
    fi
  done
}

# arguments DOCUMENT PATH: the names and values of a list of them as `--name=value` in ITEMS.
arguments() {
  local -a names
  local at
  items "$1" "$2[].name"
  names=("${ITEMS[@]}")
  items "$1" "$2[].value"
  for at in "${!names[@]}"; do
    ITEMS[at]="--${names[at]}=${ITEMS[at]:-}"
  done
}

# known_fields TABLE: the lines `path type` of a table of fields in FIELD_TYPE.
declare -A FIELD_TYPE=()
known_fields() {
  local path type
  FIELD_TYPE=()
  while read -r path type; do
    [[ -z "${path}" || "${path}" == '#'* ]] || FIELD_TYPE["${path}"]="${type}"
  done < "$1"
}

# misfit DOCUMENT KIND: the first thing in a document that the table of fields of its kind does not allow, in
# MISFIT; fails where there is none.
misfit() {
  if [ -z "${YAML_MISFIT[$1]+known}" ]; then
    known_fields "${STAND_INS}/fields/$2"
    find_misfit "$1"
    YAML_MISFIT["$1"]="${MISFIT}"
    keep_yaml
  fi
  MISFIT="${YAML_MISFIT[$1]}"
  [ -n "${MISFIT}" ]
}

find_misfit() {
  local at path raw type
  local -A seen=()
  MISFIT=''
  for at in "${!YAML_PATH[@]}"; do
    [ "${YAML_DOCUMENT[at]}" = "$1" ] || continue
    path="${YAML_PATH[at]}" raw="${YAML_RAW[at]}"
    if [[ "${path}" != *'[]'* ]]; then
      [ -z "${seen[${path}]:-}" ] || MISFIT="key \"${path##*.}\" already set in map"
      seen["${path}"]=yes
    fi
    type="${FIELD_TYPE[${path}]:-}"
    [ -n "${type}" ] || type="${FIELD_TYPE[${path%.*}.*]:-}"
    [ -n "${type}" ] || MISFIT="unknown field \"${path}\""
    [ -n "${MISFIT}" ] || { fits "${type}" "${raw}" || MISFIT="cannot unmarshal ${raw} into field ${path} of type ${type}"; }
    [ -z "${MISFIT}" ] || return 0
  done
}

# fits TYPE RAW
fits() {
  case "$1" in
    map) [ -z "$2" ] || [ "$2" = '{}' ] || [ "$2" = '[]' ] ;;
    bool) [[ "$2" =~ ^(true|false)$ ]] ;;
    int) [[ "$2" =~ ^-?[0-9]+$ ]] ;;
    # metav1.Duration: Go's time.ParseDuration of a string.
    duration) [[ "$2" =~ ^\"?(0|([0-9]+(\.[0-9]+)?(ns|us|ms|s|m|h))+)\"?$ ]] ;;
    # What YAML takes for a number or a truth value is none until it is quoted.
    string) [[ -n "$2" && ! "$2" =~ ^(true|false|yes|no|on|off|null|~|[-+]?[0-9.]+([eE][-+]?[0-9]+)?)$ || "$2" =~ ^[0-9]+(\.[0-9]+){2,}$ ]] ;;
  esac
}
