# shellcheck shell=bash
# A Kubernetes Lease as a lock between the control-plane nodes: sourced, with KUBECONFIG set.
# One holder at a time. The lease of a holder that died expires; the same machine takes its own lease again at once.

# Prints the lease: version, seconds since its last renewal, its seconds, holder (may be missing).
lease_read() {
  local line version renewed seconds holder
  line="$(kubectl --request-timeout=30s --namespace kube-system get lease "$1" --ignore-not-found --output \
    jsonpath='{.metadata.resourceVersion} {.spec.renewTime} {.spec.leaseDurationSeconds} {.spec.holderIdentity}')"
  [ -n "${line}" ] || return 0
  read -r version renewed seconds holder <<< "${line}"
  echo "${version} $(($(date -u +%s) - $(date -u -d "${renewed}" +%s))) ${seconds} ${holder:-}"
}

# lease_write VERB NAME HOLDER SECONDS [VERSION]: the API refuses a version that is not the newest.
lease_write() {
  local holder='' version=''
  [ -z "$3" ] || holder="\"holderIdentity\": \"$3\", "
  [ -z "${5:-}" ] || version=", \"resourceVersion\": \"$5\""
  kubectl --request-timeout=30s "$1" --filename - > /dev/null << JSON
{"apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
 "metadata": {"namespace": "kube-system", "name": "$2"${version}},
 "spec": {${holder}"leaseDurationSeconds": $4, "renewTime": "$(date -u +%Y-%m-%dT%H:%M:%S.000000Z)"}}
JSON
}

# lease_take NAME HOLDER SECONDS: fails and prints the holder, or fails when another was faster.
lease_take() {
  local found version age seconds holder
  found="$(lease_read "$1")" || return 1
  if [ -z "${found}" ]; then
    lease_write create "$1" "$2" "$3"
    return
  fi
  read -r version age seconds holder <<< "${found}"
  if [ -n "${holder}" ] && [ "${holder}" != "$2" ] && [ "${age}" -lt "${seconds}" ]; then
    echo "lease $1: ${holder} holds it since ${age} of ${seconds} s" >&2
    return 1
  fi
  lease_write replace "$1" "$2" "$3" "${version}"
}

# lease_renew NAME HOLDER SECONDS: fails when another holder has it.
lease_renew() {
  local found version holder
  found="$(lease_read "$1")" || return 1
  read -r version _ _ holder <<< "${found}"
  [ "${holder}" = "$2" ] || return 1
  lease_write replace "$1" "$2" "$3" "${version}"
}

# lease_drop NAME HOLDER: releases it if it is still this holder's.
lease_drop() {
  local found version holder
  found="$(lease_read "$1")" || return 1
  read -r version _ _ holder <<< "${found}"
  [ "${holder}" != "$2" ] || lease_write replace "$1" '' 1 "${version}"
}
