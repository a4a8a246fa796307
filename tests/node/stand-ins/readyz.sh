# shellcheck shell=bash
# The API server of a control-plane node, for who asks its /readyz by curl with `--write-out '%{http_code}'`: without
# etcd beside it there is nothing that listens. Another node's answers as this one's, unless ROOT/srv/a-member-is-away.

main() {
  local address=''
  read -r address < "${ROOT}/srv/address"
  kubelet_sync
  if [[ "${!#}" != *"//${address}:"* && "${!#}" != *//127.0.0.1:* ]] && [ -e "${ROOT}/srv/a-member-is-away" ]; then
    printf 000
    return 7
  fi
  if runs kube-apiserver && [ -e "${ROOT}/srv/no-quorum" ]; then
    printf 500
  elif runs kube-apiserver && runs etcd; then
    text_of "${ROOT}/srv/readyz"
    printf '%s' "${TEXT}"
  else
    printf 000
    return 7
  fi
}
