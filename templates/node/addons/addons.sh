#!/bin/bash
# Installs and updates the cluster's addons as this node's bundle defines them. A timer runs it on every control-plane
# node; one of them acts, once all want the same: an addon of the next Kubernetes minor must not meet an API server of
# the previous one, and two nodes must not undo each other's work.
#
# Exit code: 0 as wanted, 75 not yet, 1 failed; the timer runs it again after each.
set -euo pipefail

ROOT="${KUBE_CFN_ROOT:-}"
NAMESPACE='kube-system'
# Data of this ConfigMap: addon, sha256 of the chart and the values that it runs with.
STATE='kube-cfn-addons'
LEASE='kube-cfn-addons'
# Helm waits this long for an addon to run; the lease is longer than a download and that wait.
WAIT_MINUTES=5
LEASE_SECONDS=600

PATH="${PATH}:/usr/local/bin:/opt/kube-cfn/bin"
CACHE="${ROOT}/var/cache/kube-cfn"
export PATH HELM_CACHE_HOME="${CACHE}/helm" HELM_CONFIG_HOME="${CACHE}/helm" HELM_DATA_HOME="${CACHE}/helm"
export KUBECONFIG="${ROOT}/etc/kube-cfn/local-admin.conf"
# shellcheck source=/dev/null
. "${ROOT}/etc/kube-cfn/node.env"
# shellcheck source=/dev/null
. "${ROOT}/etc/kube-cfn/host.env"
# shellcheck source=/dev/null
. "${ROOT}/opt/kube-cfn/lib/ec2.sh"
# shellcheck source=/dev/null
. "${ROOT}/opt/kube-cfn/lib/lease.sh"

fail() {
  echo "addons: $*" >&2
  exit 1
}

later() {
  echo "addons: not yet: $*; trying again within a minute" >&2
  exit 75
}

api() {
  kubectl --request-timeout=30s "$@"
}

sum() {
  sha256sum | cut -d ' ' -f 1
}

# Fills this machine's values into the values of every addon.
fill_in() {
  local name text variable
  while read -r name _; do
    text="$(< "${ROOT}/etc/kube-cfn/addons/values/${name}.yaml")"
    for variable in API_HOST EBS_CSI_ROLE AUTOSCALER_ROLE; do
      [[ "${text}" == *"\${${variable}}"* ]] || continue
      [ -n "${!variable:-}" ] || fail "${name} needs ${variable}: /etc/kube-cfn/host.env does not name it; replace this machine"
      text="${text//"\${${variable}}"/"${!variable}"}"
    done
    printf '%s\n' "${text}" > "${work}/${name}.yaml"
  done < "${work}/charts"
}

# The hash of everything that decides how an addon runs.
wanted() {
  { grep "^$1 " "${work}/charts" && cat "${work}/$1.yaml"; } | sum
}

# Name, address, kubelet and wanted addons of every Node of the control plane.
slots() {
  api get nodes --selector node-role.kubernetes.io/control-plane --output \
    jsonpath='{range .items[*]}{.metadata.name} {.status.addresses[?(@.type=="InternalIP")].address} {.status.nodeInfo.kubeletVersion} {.metadata.annotations.kube-cfn/addons}{"\n"}{end}'
}

# Publishes what this control-plane node wants as an annotation of its Node.
announce() {
  local line
  line="$(slots | grep "^$1 ")" || later "the Node $1 is not in the cluster"
  [ "${line##* }" = "$2" ] || api annotate --overwrite node "$1" "kube-cfn/addons=$2" > /dev/null
}

# Requires that every slot has a Node, and every Node of a slot has this version and wants the same addons.
require_agreement() {
  local found slot address ours node kubelet wants
  found="$(slots)" || later 'the API did not answer'
  for slot in ${NODE_SLOTS}; do
    address="${slot#*=}"
    ours="$(awk -v address="${address}" '$2 == address' <<< "${found}")"
    [ -n "${ours}" ] || later "control-plane node ${slot%%=*} has no Node"
    while read -r node _ kubelet wants; do
      [ "${kubelet}" = "v${NODE_KUBERNETES}" ] || later "${node} of control-plane node ${slot%%=*} runs ${kubelet}, not v${NODE_KUBERNETES}"
      [ "${wants:-}" = "$1" ] || later "${node} of control-plane node ${slot%%=*} wants other addons"
    done <<< "${ours}"
  done
}

recorded() {
  api --namespace "${NAMESPACE}" get configmap "${STATE}" --ignore-not-found --output jsonpath='{.data}'
}

# The names of the addons that do not run as wanted.
missing() {
  local state name
  state="$(recorded)" || later 'the API did not answer'
  while read -r name _; do
    [[ "${state}" == *"\"${name}\":\"$(wanted "${name}")\""* ]] || echo "${name}"
  done < "${work}/charts"
}

# The chart's archive, checked before every use.
chart() {
  local sha256="$2" url="$3" file="${CACHE}/charts/$1-$2.tgz"
  mkdir -p "${CACHE}/charts"
  if ! echo "${sha256}  ${file}" | sha256sum --check --status 2> /dev/null; then
    curl --fail --silent --show-error --location --max-time 60 --retry 2 --retry-max-time 120 --output "${file}.part" "${url}" \
      || fail "$1: fetch ${url} (curl: $?); check the route to the internet, or the mirror"
    echo "${sha256}  ${file}.part" | sha256sum --check --status \
      || fail "$1: ${url} is not the pinned chart (sha256 ${sha256}); it was changed at its source or by a proxy"
    mv "${file}.part" "${file}"
  fi
  echo "${file}"
}

# A helm that was killed leaves its release pending, and every later one refuses it. With the lease held no other helm
# runs, so the pending record is deleted; the next revision adopts what is there.
remove_pending_release() {
  api --namespace "${NAMESPACE}" delete secret --ignore-not-found \
    --selector "owner=helm,name=$1,status in (pending-install,pending-upgrade,pending-rollback)" > /dev/null
}

# Never --atomic: a half-way rollback of the network breaks more than another attempt.
install() {
  local name="$1" sha256 url file
  read -r _ sha256 url < <(grep "^${name} " "${work}/charts")
  lease_renew "${LEASE}" "${me}" "${LEASE_SECONDS}" || later 'another control-plane node has taken over'
  file="$(chart "${name}" "${sha256}" "${url}")"
  remove_pending_release "${name}"
  echo "addons: ${name}: installing ${file##*/}"
  helm upgrade --install "${name}" "${file}" --namespace "${NAMESPACE}" --values "${work}/${name}.yaml" \
    --history-max 5 --wait --timeout "${WAIT_MINUTES}m" > /dev/null \
    || fail "${name}: helm could not start it; \`kubectl --namespace ${NAMESPACE} get pods\` shows what does not run; it is tried again"
  api --namespace "${NAMESPACE}" patch configmap "${STATE}" --type merge \
    --patch "{\"data\": {\"${name}\": \"$(wanted "${name}")\"}}" > /dev/null
  echo "addons: ${name}: runs"
}

clean_up() {
  local status=$?
  trap - EXIT
  [ -z "${held}" ] || lease_drop "${LEASE}" "${me}" || true
  rm -rf "${work}"
  exit "${status}"
}

main() {
  local names name plan
  cp "${ROOT}/etc/kube-cfn/addons/charts" "${work}/charts"
  fill_in
  plan="$(while read -r name _; do wanted "${name}"; done < "${work}/charts" | sum)"
  api get --raw /readyz > /dev/null || later 'the API server of this node is not ready'
  announce "${me}" "${plan}"
  # A run that was interrupted at its very end has left its lease.
  held=maybe
  names="$(missing)"
  if [ -z "${names}" ]; then
    echo 'addons: all run as this bundle wants them'
    return
  fi
  require_agreement "${plan}"
  lease_take "${LEASE}" "${me}" "${LEASE_SECONDS}" || later 'another control-plane node is installing them'
  held=yes
  # Read again under the lease: its last holder may have done the work.
  names="$(missing)"
  [ -n "$(recorded)" ] || api --namespace "${NAMESPACE}" create configmap "${STATE}" --from-literal format=1 > /dev/null
  for name in ${names}; do
    install "${name}"
  done
  echo 'addons: all run as this bundle wants them'
}

held=''
me="$(ec2_instance_id)"
work="$(mktemp -d)"
trap clean_up EXIT
main
