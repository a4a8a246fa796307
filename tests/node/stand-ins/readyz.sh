# shellcheck shell=bash
# The API server of this machine, for who asks its /readyz by curl with `--write-out '%{http_code}'`: without
# etcd beside it there is nothing that listens.

main() {
  kubelet_sync
  if runs kube-apiserver && runs etcd; then
    text_of "${ROOT}/srv/readyz"
    printf '%s' "${TEXT}"
  else
    printf 000
    return 7
  fi
}
