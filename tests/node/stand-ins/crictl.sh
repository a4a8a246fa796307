# shellcheck shell=bash disable=SC2034,SC2153
# Stands in for crictl of kubernetes-sigs/cri-tools v1.34 to v1.36: flags as cmd/crictl/{main,container,
# sandbox,image,logs,version}.go have them, against the pods of pods.sh. Flags end at the first argument
# (urfave/cli).

GLOBAL='--config= -c:--config --runtime-endpoint= -r:--runtime-endpoint --image-endpoint= -i:--image-endpoint
  --timeout= -t:--timeout --debug -D:--debug'
FILTER='--id= --name= --namespace= --state= -s:--state --label=* --verbose -v:--verbose --quiet -q:--quiet
  --output= -o:--output --latest -l:--latest --last= -n:--last --no-trunc'

fatal() {
  printf 'time="2026-11-30T00:00:00Z" level=fatal msg="%s"\n' "$1" >&2
  exit 1
}

unknown_flag() {
  echo "Incorrect Usage: flag provided but not defined: -${1#--}"
  fatal "flag provided but not defined: -${1#--}"
}

no_value() {
  echo "Incorrect Usage: flag needs an argument: -${1#--}"
  fatal "flag needs an argument: -${1#--}"
}

# main.go: where to connect to, from flags and from the file; without it, with a warning, the well-known ones.
connect() {
  local endpoint="${OPTION[--runtime-endpoint]:-}" file="${ROOT}${OPTION[--config]:-/etc/crictl.yaml}" at
  # Go's time.ParseDuration.
  [[ "${OPTION[--timeout]:-0}" =~ ^(0|([0-9]+(ns|us|ms|s|m|h))+)$ ]] \
    || fatal "invalid value \\\"${OPTION[--timeout]}\\\" for flag -timeout: parse error"
  if [ -e "${file}" ]; then
    read_yaml "${file}" || fatal "get server config: ${file} is no YAML"
    for at in "${!YAML_PATH[@]}"; do
      # pkg/common/file.go, getConfigOptions.
      case "${YAML_PATH[at]}" in
        runtime-endpoint) endpoint="${endpoint:-${YAML_RAW[at]}}" ;;
        image-endpoint | debug | pull-image-on-create | disable-pull-on-run) ;;
        timeout) [[ "${YAML_RAW[at]}" =~ ^[0-9]+$ ]] || fatal "parsing config option 'timeout'" ;;
        *) fatal "invalid config option name '${YAML_PATH[at]}'" ;;
      esac
    done
  fi
  [ -n "${endpoint}" ] || {
    printf 'time="2026-11-30T00:00:00Z" level=warning msg="runtime connect using default endpoints"\n' >&2
    endpoint=unix:///run/containerd/containerd.sock
  }
  [ "${endpoint}" = unix:///run/containerd/containerd.sock ] && [ -e "${ROOT}/run/units/containerd.service" ] \
    || fatal "validate service connection: validate CRI v1 runtime API for endpoint \\\"${endpoint}\\\": rpc error: code = Unavailable desc = connection error"
}

# Whether all `key=value` lines of $1 are among those of $2.
labelled() {
  local label
  while IFS= read -r label; do
    [ -z "${label}" ] || [[ $'\n'"$2" == *$'\n'"${label}"$'\n'* ]] || return 1
  done <<< "$1"
}

# The labels of a pod as JSON.
json_labels() {
  local label
  JSON=''
  while IFS= read -r label; do
    [ -z "${label}" ] || JSON+="${JSON:+, }\"${label%%=*}\": \"${label#*=}\""
  done <<< "$1"
}

pods() {
  local id json='' state="${OPTION[--state]:-}"
  [[ "${state,,}" =~ ^(ready|notready|)$ ]] || fatal '--state should be ready or notready'
  ids pod
  for id in "${IDS[@]}"; do
    load_pod "${id}"
    [ -z "${state}" ] || [ "${POD_STATE}" = "${state,,}" ] || continue
    [[ "${POD_NAME}" =~ ${OPTION[--name]:-} && kube-system =~ ${OPTION[--namespace]:-} && "${id}" == "${OPTION[--id]:-}"* ]] || continue
    labelled "${OPTION[--label]:-}" "${POD_LABELS}" || continue
    json_labels "${POD_LABELS}"
    json+="${json:+, }{\"id\": \"${id}\", \"metadata\": {\"name\": \"${POD_NAME}\", \"uid\": \"${POD_UID}\", \"namespace\": \"kube-system\", \"attempt\": ${POD_ATTEMPT}}, \"state\": \"SANDBOX_${POD_STATE^^}\", \"createdAt\": \"${POD_CREATED}000000000\", \"labels\": {${JSON}}, \"annotations\": {\"kubernetes.io/config.hash\": \"${POD_UID}\", \"kubernetes.io/config.source\": \"file\"}, \"runtimeHandler\": \"\"}"
    [ -z "${OPTION[--quiet]:-}" ] || echo "${id}"
    [ -z "${OPTION[--latest]:-}" ] || break
  done
  show "items" "${json}"
}

# show LIST JSON: what is left of an answer that is no bare list of ids.
show() {
  case "${OPTION[--output]:-table}" in
    json) printf '{"%s": [%s]}\n' "$1" "$2" ;;
    table) [ -n "${OPTION[--quiet]:-}" ] || printf '%s\n' "$2" ;;
    *) fatal "unsupported output format \\\"${OPTION[--output]}\\\"" ;;
  esac
}

ps() {
  local id json='' state="${OPTION[--state]:-}"
  [[ "${state,,}" =~ ^(created|running|exited|unknown|)$ ]] || fatal '--state should be one of created, running, exited or unknown'
  [ -n "${OPTION[--all]:-}" ] || state="${state:-running}"
  [ -z "${OPTION[--latest]:-}" ] || state=''
  ids container
  for id in "${IDS[@]}"; do
    load_container "${id}"
    [ -z "${state}" ] || [ "${STATE}" = "${state,,}" ] || continue
    [[ "${NAME}" =~ ${OPTION[--name]:-} && "${id}" == "${OPTION[--id]:-}"* && "${OF}" == "${OPTION[--pod]:-}"* ]] || continue
    load_pod "${OF}"
    labelled "${OPTION[--label]:-}" "io.kubernetes.pod.name=${POD_NAME}"$'\n'"io.kubernetes.container.name=${NAME}"$'\n' || continue
    json+="${json:+, }{\"id\": \"${id}\", \"podSandboxId\": \"${OF}\", \"metadata\": {\"name\": \"${NAME}\", \"attempt\": ${ATTEMPT}}, \"image\": {\"image\": \"${IMAGE}\"}, \"state\": \"CONTAINER_${STATE^^}\", \"createdAt\": \"${CREATED}000000000\"}"
    [ -z "${OPTION[--quiet]:-}" ] || echo "${id}"
    [ -z "${OPTION[--latest]:-}" ] || break
  done
  show containers "${json}"
}

# one KIND ID: the whole id of something that is there, in ID.
one() {
  local id
  ids "$1"
  for id in "${IDS[@]}"; do
    [[ "${id}" != "$2"* ]] || { ID="${id}" && return; }
  done
  fatal "rpc error: code = NotFound desc = an error occurred when try to find $1 \\\"$2\\\": not found"
}

stop() {
  local id
  [ "${#REST[@]}" -gt 0 ] || fatal 'you must specify at least one CONTAINER-ID or use --all'
  for id in "${REST[@]}"; do
    one container "${id}"
    load_container "${ID}"
    [ "${STATE}" != running ] || { end_container "${ID}" "${OPTION[--timeout]:-0}" && STATE=exited EXIT=0 && save_container "${ID}"; }
    echo "${id}"
  done
}

rm_container() {
  local id
  [ "${#REST[@]}" -gt 0 ] || fatal 'ID cannot be empty'
  for id in "${REST[@]}"; do
    one container "${id}"
    load_container "${ID}"
    [ "${STATE}" != running ] || [ -n "${OPTION[--force]:-}" ] || fatal "container \\\"${id}\\\" is running, please stop it first"
    rm "${PODS}/${ID}.container"
    echo "${id}"
  done
}

stopp() {
  local id
  for id in "${REST[@]}"; do
    one pod "${id}"
    stop_pod "${ID}"
    echo "Stopped sandbox ${id}"
  done
}

rmp() {
  local id pod container
  for id in "${REST[@]}"; do
    one pod "${id}"
    pod="${ID}"
    load_pod "${pod}"
    if [ "${POD_STATE}" = ready ]; then
      [ -n "${OPTION[--force]:-}" ] || fatal "pod sandbox \\\"${id}\\\" is running, please stop it first"
      stop_pod "${pod}"
    fi
    ids container
    for container in "${IDS[@]}"; do
      load_container "${container}"
      [ "${OF}" != "${pod}" ] || rm "${PODS}/${container}.container"
    done
    rm "${PODS}/${pod}.pod"
    echo "Removed sandbox ${id}"
  done
}

logs() {
  local lines="${OPTION[--tail]:--1}"
  [ -n "${REST[0]:-}" ] || fatal 'ID cannot be empty'
  one container "${REST[0]}"
  load_container "${ID}"
  LOG="$(container_text "${ID}")"
  mapfile -t REST <<< "${LOG}"
  [ "${lines}" -ge 0 ] && [ "${lines}" -lt "${#REST[@]}" ] || lines="${#REST[@]}"
  [ -z "${LOG}" ] || printf '%s\n' "${REST[@]: -${lines}}"
}

pull() {
  [ -n "${REST[0]:-}" ] || fatal 'image name cannot be empty'
  [ ! -e "${ROOT}/srv/registry-is-away" ] || fatal "pulling image: failed to pull and unpack image \\\"${REST[0]}\\\": dial tcp: i/o timeout"
  mkdir -p "${ROOT}/srv/images"
  : > "${ROOT}/srv/images/${REST[0]//\//_}"
  echo "Image is up to date for ${REST[0]}"
}

inspecti() {
  local image
  for image in "${REST[@]}"; do
    [ -e "${ROOT}/srv/images/${image//\//_}" ] || fatal "no such image \\\"${image}\\\" present"
    printf '{"status": {"repoTags": ["%s"]}}\n' "${image}"
  done
}

main() {
  local verb
  FLAGS_FIRST=yes
  options "${GLOBAL}" "$@"
  connect
  verb="${REST[0]:-}"
  set -- "${REST[@]:1}"
  [ -e "${PODS}" ] || mkdir -p "${PODS}"
  kubelet_sync
  case "${verb}" in
    version) options '' "$@" && printf 'Version:  0.1.0\nRuntimeName:  containerd\nRuntimeVersion:  v2.3.4\nRuntimeApiVersion:  v1\n' ;;
    pods) options "${FILTER}" "$@" && pods ;;
    ps) options "${FILTER} --all -a:--all --image= --pod= -p:--pod --resolve-image-path -r:--resolve-image-path" "$@" && ps ;;
    stop) options '--timeout= -t:--timeout --all -a:--all' "$@" && stop ;;
    rm) options '--force -f:--force --keep-logs -k:--keep-logs --all -a:--all' "$@" && rm_container ;;
    stopp) options '' "$@" && stopp ;;
    rmp) options '--force -f:--force --all -a:--all' "$@" && rmp ;;
    logs) options '--follow -f:--follow --previous -p:--previous --tail= --limit-bytes= --since= --timestamps -t:--timestamps --stream= -s:--stream' "$@" && logs ;;
    pull) options '--creds= --auth= --username= -u:--username --pod-config= --annotation=* -a:--annotation --pull-timeout= ' "$@" && pull ;;
    inspecti) options '--output= -o:--output --quiet -q:--quiet --template= --name= --filter=* -f:--filter' "$@" && inspecti ;;
    *)
      echo "No help topic for '${verb}'"
      exit 3
      ;;
  esac
  # What was stopped is started again while the kubelet runs.
  [[ ! "${verb}" =~ ^(stop|rm|stopp|rmp)$ ]] || kubelet_sync
}
