# shellcheck shell=bash disable=SC2153
# Waits for the static pods of the control plane, each as its manifest and its certificates are now. Sourced by boot, after
# the libraries for etcd, certificates.sh and control-plane.sh; does nothing by itself.

# Hash of the manifest and of the pod that each component was last seen with.
PODS=/var/lib/kube-cfn/static-pods

# The hash of the static pod that runs now; nothing while none is ready.
static_pod_hash() {
  crictl pods --label "component=$1" --state ready --output json \
    | jq -r '.items[0].annotations["kubernetes.io/config.hash"] // empty'
}

static_pod_is_new() {
  local hash
  hash="$(static_pod_hash "$1")"
  [ -n "${hash}" ] && [ "${hash}" != "$2" ]
}

# stop_old_pods COMPONENT HASH: a kubelet that has not reached its API server since it started never stops a static pod,
# not even when its manifest has changed: the old one would keep the ports of the new one.
stop_old_pods() {
  local old sandbox
  [ -n "$2" ] || return 0
  old="$(etcd_sandboxes "$2")" || fail "find the old pod of $1: crictl does not answer; see journalctl -u containerd"
  ETCD_STOP_SECONDS=25 etcd_stop_containers "$1" "${old}" || say "a container of the old pod of $1 did not end by itself"
  while read -r _ sandbox; do
    [ -z "${sandbox}" ] || attempt 3 5 crictl stopp "${sandbox}" || fail "stop the old pod of $1: see the lines above"
  done <<< "${old}"
}

# Whether the component answers that it is healthy. Controller manager and scheduler show certificates that they sign
# themselves.
static_pod_serves() {
  local port=10257
  case "$1" in
    etcd) etcd_serves "${SLOT}" || { fail_on_lost_data && false; } ;;
    kube-apiserver) api_is_ready ;;
    *)
      [ "$1" = kube-controller-manager ] || port=10259
      curl --silent --fail --insecure --max-time 5 --output /dev/null "https://127.0.0.1:${port}/healthz"
      ;;
  esac
}

# Without a majority etcd has no leader: waits as long as the slowest machine needs to start.
wait_until_healthy() {
  await 600 static_pod_serves "$1" && return 0
  end_of 5 container_log "$1"
  # Without a majority the API server is not ready either.
  if [ "$1" = etcd ] || ! etcd_serves "${SLOT}"; then
    CODE=etcd-quorum fail "wait for etcd: it is not healthy after ten minutes; see crictl ps --all, crictl logs, and whether a majority of the control-plane nodes runs"
  fi
  CODE=api fail "wait for $1: it is not healthy after ten minutes; see crictl ps --all and crictl logs"
}

# The end of the log of the component's newest container.
container_log() {
  local container
  container="$(crictl ps --all --name "^$1\$" --latest --quiet)" || return 1
  [ -z "${container}" ] || crictl logs --tail 5 "${container}"
}

# restart_static_pod COMPONENT HASH: ends its container; the kubelet starts another one, which reads the files that are
# there now. That is noted at once: while a majority of etcd comes back, no later boot ends it again.
restart_static_pod() {
  local sandboxes
  say "restart $1: it has started with older certificates"
  sandboxes="$(etcd_sandboxes)" || fail "restart $1: crictl does not answer; see journalctl -u containerd"
  etcd_stop_containers "$1" "${sandboxes}" || fail "restart $1: its container did not end; see crictl ps"
  put "${POD_CERTIFICATES}/$1" 644 <<< "$2"
}

# Waits for the pods of changed manifests: the old ones may still answer for a while. Pods that have started with other
# certificates are restarted one after another, each when the one before it answers, whichever boot has restarted that.
wait_for_static_pods() {
  local part sum before certificates
  certificates="$(certificates_hash)"
  for part in etcd kube-apiserver kube-controller-manager kube-scheduler; do
    sum="$(sha256sum < "/etc/kubernetes/manifests/${part}.yaml" | cut -d ' ' -f 1)"
    before="$(cat "${PODS}/${part}" 2> /dev/null || true)"
    if [ "${before%% *}" != "${sum}" ]; then
      stop_old_pods "${part}" "${before#* }"
      await 600 static_pod_is_new "${part}" "${before#* }" \
        || fail "start ${part}: the kubelet made no new pod of its manifest in ten minutes; see journalctl -u kubelet and crictl pods"
      put "${PODS}/${part}" 644 <<< "${sum} $(static_pod_hash "${part}")"
      put "${POD_CERTIFICATES}/${part}" 644 <<< "${certificates}"
    else
      pod_is_current "${part}" "${certificates}" || restart_static_pod "${part}" "${certificates}"
      # Without a mark (after a reboot) it has started with these.
      put "${POD_CERTIFICATES}/${part}" 644 <<< "${certificates}"
      wait_until_healthy "${part}"
    fi
  done
}

# 403 means not ready too: the API server creates its own RBAC rules only after it has started.
api_is_ready() {
  local code
  code="$(curl --silent --max-time 10 --cacert "${PKI}/ca.crt" --output /dev/null --write-out '%{http_code}' https://127.0.0.1:6443/readyz)" || true
  [ "${code}" = 200 ] || { fail_on_lost_data && false; }
}

# etcd refuses to start as a new member where it had data before: an operator has to decide what to do.
fail_on_lost_data() {
  local container said
  container="$(crictl ps --all --name '^etcd$' --latest --quiet)" || return 0
  [ -n "${container}" ] || return 0
  # As a whole first: with `| grep -q` crictl could end by SIGPIPE, and pipefail would hide what was found.
  said="$(crictl logs --tail 100 "${container}" 2>&1)" || return 0
  if [[ "${said}" == *'already been bootstrapped'* ]]; then
    CODE=etcd-data fail "start etcd of control-plane node ${SLOT}: this member has already been bootstrapped, but its volume is empty; $(lost_data_remedy)"
  fi
}

wait_for_api() {
  wait_for_static_pods
  wait_until_healthy kube-apiserver
  await 120 etcd_serves "${SLOT}" || CODE=etcd-quorum fail 'wait for etcd: it is not healthy after two minutes; see crictl logs of etcd'
}
