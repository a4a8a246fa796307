#!/bin/bash
# Brings the cluster's addons to what this node's bundle says. A timer runs it on every slot; one of them
# acts, once all slots want the same: an addon of the next Kubernetes minor must not meet an API server of
# the last one, and two slots must not undo each other's work.
#
# Exit: 0 as wanted, 75 not yet (the timer comes again), 1 failed (it comes again too).
set -euo pipefail

ROOT="${KUBE_CFN_ROOT:-}"
NAMESPACE='kube-system'
# Data of this ConfigMap: addon, sha256 of the chart and the values that it runs with.
STATE='kube-cfn-addons'
LEASE='kube-cfn-addons'
# Helm waits this long for an addon to run, and the lease outlasts a download and that wait.
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

# Puts what only this machine knows into the values of every addon.
fill_in() {
  local name text variable
  while read -r name _; do
    text="$(< "${ROOT}/etc/kube-cfn/addons/values/${name}.yaml")"
    for variable in API_HOST EBS_CSI_ROLE AUTOSCALER_ROLE; do
      [[ "${text}" == *"\${${variable}}"* ]] || continue
      [ -n "${!variable:-}" ] || fail "${name} needs ${variable}: /etc/kube-cfn/host.env does not name it; replace this machine"
      text="${text//"\${${variable}}"/${!variable}}"
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

# Tells the other slots what this one wants.
announce() {
  local line
  line="$(slots | grep "^$1 ")" || later "the Node $1 is not in the cluster"
  [ "${line##* }" = "$2" ] || api annotate --overwrite node "$1" "kube-cfn/addons=$2" > /dev/null
}

# Whether every slot has a Node, and every Node of a slot is of this version and wants the same.
agree() {
  local found slot address ours node kubelet wants
  found="$(slots)" || later 'the API did not answer'
  for slot in ${NODE_SLOTS}; do
    address="${slot#*=}"
    ours="$(awk -v address="${address}" '$2 == address' <<< "${found}")"
    [ -n "${ours}" ] || later "slot ${slot%%=*} has no Node"
    while read -r node _ kubelet wants; do
      [ "${kubelet}" = "v${NODE_KUBERNETES}" ] || later "${node} of slot ${slot%%=*} runs ${kubelet}, not v${NODE_KUBERNETES}"
      [ "${wants:-}" = "$1" ] || later "${node} of slot ${slot%%=*} wants other addons"
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
      || fail "$1: fetch ${url} (curl: $?); check the way out to the internet, or the mirror"
    echo "${sha256}  ${file}.part" | sha256sum --check --status \
      || fail "$1: ${url} is not the chart that was pinned (sha256 ${sha256}); somebody changed it, or something between answers in its place"
    mv "${file}.part" "${file}"
  fi
  echo "${file}"
}

# A helm that died left its release pending, and every later one refuses it. With the lease held nobody is
# at work, so the mark goes; the next revision takes over what is there.
unlock() {
  api --namespace "${NAMESPACE}" delete secret --ignore-not-found \
    --selector "owner=helm,name=$1,status in (pending-install,pending-upgrade,pending-rollback)" > /dev/null
}

# Never --atomic: a network that is rolled back half-way leaves more broken than one that is tried again.
install() {
  local name="$1" sha256 url file
  read -r _ sha256 url < <(grep "^${name} " "${work}/charts")
  lease_renew "${LEASE}" "${me}" "${LEASE_SECONDS}" || later 'another slot has taken over'
  file="$(chart "${name}" "${sha256}" "${url}")"
  unlock "${name}"
  echo "addons: ${name}: installing ${file##*/}"
  helm upgrade --install "${name}" "${file}" --namespace "${NAMESPACE}" --values "${work}/${name}.yaml" \
    --history-max 5 --wait --timeout "${WAIT_MINUTES}m" > /dev/null \
    || fail "${name}: helm could not bring it up; \`kubectl --namespace ${NAMESPACE} get pods\` shows what does not run, and it is tried again"
  api --namespace "${NAMESPACE}" patch configmap "${STATE}" --type merge \
    --patch "{\"data\": {\"${name}\": \"$(wanted "${name}")\"}}" > /dev/null
  echo "addons: ${name}: runs"
}

leave() {
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
  api get --raw /readyz > /dev/null || later 'the API server of this slot is not ready'
  announce "${me}" "${plan}"
  # A run that was cut short at its very end has left its lease behind.
  held=maybe
  names="$(missing)"
  if [ -z "${names}" ]; then
    echo 'addons: all run as this bundle wants them'
    return
  fi
  agree "${plan}"
  lease_take "${LEASE}" "${me}" "${LEASE_SECONDS}" || later 'another slot is at it'
  held=yes
  # Read again under the lease: who had it before may have done the work.
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
trap leave EXIT
main
