# shellcheck shell=bash
# Stands in for etcdctl 3.6 (etcdctl/ctlv3 of etcd-io/etcd v3.6) against the etcd of this machine alone.

unknown_flag() {
  echo "Error: unknown flag: ${1%%=*}" >&2
  exit 1
}

no_value() {
  echo "Error: flag needs an argument: $1" >&2
  exit 1
}

main() {
  local variable file
  # pkg/flags/flag.go, verifyEnv: ETCDCTL_API is none of its variables any more.
  for variable in "${!ETCDCTL_@}"; do
    case "${variable}" in
      ETCDCTL_CACERT | ETCDCTL_CERT | ETCDCTL_KEY | ETCDCTL_ENDPOINTS | ETCDCTL_USER | ETCDCTL_PASSWORD | ETCDCTL_DIAL_TIMEOUT | ETCDCTL_COMMAND_TIMEOUT) ;;
      *) printf '{"level":"warn","ts":"2026-11-30T00:00:00.000000Z","caller":"flags/flag.go:94","msg":"unrecognized environment variable","environment-variable":"%s=%s"}\n' "${variable}" "${!variable}" >&2 ;;
    esac
  done
  options '--cacert= --cert= --key= --endpoints= --command-timeout= --dial-timeout= --write-out= -w:--write-out --cluster --debug' "$@"
  for file in "${OPTION[--cacert]:-}" "${OPTION[--cert]:-}" "${OPTION[--key]:-}"; do
    [ -z "${file}" ] || [ -e "${ROOT}${file}" ] || { echo "Error: open ${file}: no such file or directory" >&2 && exit 128; }
  done
  kubelet_sync
  case "${REST[*]}" in
    'endpoint health') health ;;
    'endpoint status') status ;;
    'member list') members ;;
    *)
      echo "Error: unknown command \"${REST[*]}\" for \"etcdctl\"" >&2
      exit 1
      ;;
  esac
}

# With --cluster it asks the members that have published their address: one that has never started is left out.
health() {
  local address=''
  read -r address < "${ROOT}/srv/address"
  if ! runs etcd || [ -e "${ROOT}/srv/no-quorum" ] || { [[ "${OPTION[--endpoints]:-127.0.0.1}" != *@(127.0.0.1|"${address}")* ]] && [ -e "${ROOT}/srv/a-member-is-away" ]; }; then
    echo "${OPTION[--endpoints]:-127.0.0.1:2379} is unhealthy: failed to commit proposal: context deadline exceeded" >&2
    echo 'Error: unhealthy cluster' >&2
    exit 1
  fi
  echo "${OPTION[--endpoints]:-127.0.0.1:2379} is healthy: successfully committed proposal: took = 5ms"
}

# etcdctl/ctlv3/command/printer_fields.go, EndpointStatus; ROOT/srv/learner makes this machine's member one.
status() {
  local learner=false
  [ "${OPTION[--write-out]:-simple}" = fields ] || unknown_flag "--write-out=${OPTION[--write-out]:-simple}"
  runs etcd || { echo 'Error: context deadline exceeded' >&2 && exit 1; }
  [ ! -e "${ROOT}/srv/learner" ] || learner=true
  printf '"%s" : %s\n' MemberID 10 IsLearner "${learner}" RaftIndex 8 RaftAppliedIndex 8
}

# The other members' list, as `--write-out simple` prints it, is ROOT/srv/members; without the file none of them answers.
members() {
  [ "${OPTION[--write-out]:-simple}" = simple ] || unknown_flag "--write-out=${OPTION[--write-out]}"
  [ -e "${ROOT}/srv/members" ] || { echo 'Error: context deadline exceeded' >&2 && exit 1; }
  cat "${ROOT}/srv/members"
}
