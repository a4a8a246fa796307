#!/bin/bash
# Stands in for kubectl, helm, curl and the metadata service: an API server of a few files in $WORLD.
# CUT=N ends the program under test at the Nth call, CUT_WHEN within or after its effect.
set -euo pipefail

name="$(basename "$0")"
# What the stand-ins share: how flags are read.
# shellcheck source=/dev/null
. "${WORLD}/flags.sh"
input=''
[[ " $* " != *' --filename - '* ]] || input="$(cat)"
echo "${name}" >> "${WORLD}/programs"
number="$(wc -l < "${WORLD}/programs")"

cut_here() {
  if [ "${CUT:-0}" = "${number}" ] && [ "${CUT_WHEN}" = "$1" ]; then
    kill -9 -- "-${GROUP}"
  fi
}

note() {
  echo "$*" >> "${WORLD}/calls"
}

field() {
  sed -n "s/.*\"$1\": *\"\{0,1\}\([^\",}]*\)\"\{0,1\}.*/\1/p" <<< "${input}" | head -1
}

lease_get() {
  [ ! -e "${WORLD}/lease" ] || cat "${WORLD}/lease"
}

lease_put() {
  local version=0
  [ ! -e "${WORLD}/lease" ] || read -r version _ < "${WORLD}/lease"
  if [ "$1" = create ]; then
    [ ! -e "${WORLD}/lease" ] || { echo 'AlreadyExists' >&2; exit 1; }
  elif [ "$(field resourceVersion)" != "${version}" ]; then
    echo 'Conflict: the object has been modified' >&2
    exit 1
  fi
  echo "$((version + 1)) $(field renewTime) $(field leaseDurationSeconds) $(field holderIdentity)" > "${WORLD}/lease"
}

state_get() {
  [ -d "${WORLD}/state" ] || return 0
  local file text=''
  for file in "${WORLD}"/state/*; do
    text+="${text:+,}\"$(basename "${file}")\":\"$(cat "${file}")\""
  done
  echo "{${text}}"
}

kubectl() {
  case "$*" in
    *'get --raw /readyz') [ ! -e "${WORLD}/down" ] ;;
    *'get nodes '*) cat "${WORLD}/nodes" ;;
    *'annotate --overwrite node '*)
      note "annotate $5"
      awk -v node="$5" -v wants="${6#*=}" '$1 == node { $4 = wants } { print }' "${WORLD}/nodes" > "${WORLD}/nodes.new"
      mv "${WORLD}/nodes.new" "${WORLD}/nodes"
      ;;
    *'get lease '*) lease_get ;;
    *' create --filename -') lease_put create ;;
    *' replace --filename -') lease_put replace ;;
    *'get configmap '*) state_get ;;
    *'create configmap '*)
      note 'create state'
      mkdir "${WORLD}/state"
      echo 1 > "${WORLD}/state/format"
      ;;
    *'patch configmap '*)
      local patch="${*: -1}" key value
      key="$(cut -d '"' -f 4 <<< "${patch}")"
      value="$(cut -d '"' -f 6 <<< "${patch}")"
      note "record ${key}"
      echo "${value}" > "${WORLD}/state/${key}"
      ;;
    *'delete secret '*)
      local selector="${*: -1}"
      selector="${selector#owner=helm,name=}"
      rm -f "${WORLD}/releases/${selector%%,*}.pending"
      ;;
    *)
      echo "the stand-in knows no kubectl $*" >&2
      exit 1
      ;;
  esac
}

helm_fails() {
  echo "Error: $1" >&2
  exit 1
}

# `helm upgrade` of helm v3.18: flags as pkg/cmd/upgrade.go, flags.go and root.go of helm/helm have them.
helm() {
  local release chart values
  # shellcheck disable=SC2329 # options calls them
  unknown_flag() { helm_fails "unknown flag: ${1%%=*}"; }
  # shellcheck disable=SC2329
  no_value() { helm_fails "flag needs an argument: $1"; }
  options '--install -i:--install --namespace= -n:--namespace --values= -f:--values --set=* --history-max= --wait --wait-for-jobs
    --timeout= --atomic --create-namespace --force --reset-values --reuse-values --version= --kubeconfig= --output= -o:--output' "$@"
  [ "${REST[0]:-}" = upgrade ] || helm_fails "unknown command \"${REST[0]:-}\" for \"helm\""
  [ "${#REST[@]}" -eq 3 ] || helm_fails "\"helm upgrade\" requires 2 arguments"
  release="${REST[1]}" chart="${REST[2]}" values="${OPTION[--values]:-}"
  [[ "${release}" =~ ^[a-z0-9]([-a-z0-9]*[a-z0-9])?$ ]] && [ "${#release}" -le 53 ] || helm_fails "release name is invalid: ${release}"
  [[ "${OPTION[--timeout]:-5m}" =~ ^([0-9]+(ms|s|m|h))+$ ]] || helm_fails "invalid argument \"${OPTION[--timeout]}\" for \"--timeout\" flag: time: invalid duration"
  [[ "${OPTION[--history-max]:-10}" =~ ^[0-9]+$ ]] || helm_fails "invalid argument \"${OPTION[--history-max]}\" for \"--history-max\" flag"
  [ -f "${chart}" ] || helm_fails "path \"${chart}\" not found"
  [ -z "${values}" ] || [ -f "${values}" ] || helm_fails "open ${values}: no such file or directory"
  [ -r "${KUBECONFIG:-}" ] || helm_fails 'Kubernetes cluster unreachable: the server could not find the requested resource'
  [ -n "${OPTION[--install]:-}" ] || [ -e "${WORLD}/releases/${release}" ] || helm_fails "UPGRADE FAILED: \"${release}\" has no deployed releases"
  note "helm ${release}"
  mkdir -p "${WORLD}/releases"
  [ ! -e "${WORLD}/releases/${release}.pending" ] \
    || helm_fails 'UPGRADE FAILED: another operation (install/upgrade/rollback) is in progress'
  touch "${WORLD}/releases/${release}.pending"
  cut_here within
  if [ -e "${WORLD}/broken" ] && [ "$(cat "${WORLD}/broken")" = "${release}" ]; then
    rm "${WORLD}/releases/${release}.pending"
    helm_fails 'context deadline exceeded'
  fi
  { basename "${chart}" && cat "${values}"; } > "${WORLD}/releases/${release}"
  rm "${WORLD}/releases/${release}.pending"
}

# Serves as a chart what it is called: the hash of that stands in the list of charts.
curl() {
  local file="$*" url="${*: -1}"
  file="${file##* --output }"
  file="${file%% *}"
  note "fetch ${url##*/}"
  echo "${FORGED:-}${url}" > "${file}"
}

case "${name}" in
  kubectl) kubectl "$@" ;;
  helm) helm "$@" ;;
  curl) curl "$@" ;;
esac
cut_here after
