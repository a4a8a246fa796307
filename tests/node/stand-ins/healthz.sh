# shellcheck shell=bash
# The controller manager and the scheduler of this machine, for who asks their /healthz by curl with `--fail`.

main() {
  kubelet_sync
  case "${!#}" in
    https://127.0.0.1:10257/healthz) runs kube-controller-manager || return 7 ;;
    https://127.0.0.1:10259/healthz) runs kube-scheduler || return 7 ;;
    *) return 22 ;;
  esac
}
