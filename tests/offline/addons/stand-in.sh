#!/bin/bash
# Stands in for kubectl, helm, curl and the metadata service: an API server of a few files in $WORLD.
# CUT=N ends the program under test at the Nth call, CUT_WHEN within or after its effect.
set -euo pipefail

name="$(basename "$0")"
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

# upgrade --install NAME FILE --namespace NAMESPACE --values VALUES ...
helm() {
  note "helm $3"
  mkdir -p "${WORLD}/releases"
  if [ -e "${WORLD}/releases/$3.pending" ]; then
    echo 'Error: UPGRADE FAILED: another operation (install/upgrade/rollback) is in progress' >&2
    exit 1
  fi
  touch "${WORLD}/releases/$3.pending"
  cut_here within
  if [ -e "${WORLD}/broken" ] && [ "$(cat "${WORLD}/broken")" = "$3" ]; then
    rm "${WORLD}/releases/$3.pending"
    echo 'Error: context deadline exceeded' >&2
    exit 1
  fi
  { basename "$4" && cat "$8"; } > "${WORLD}/releases/$3"
  rm "${WORLD}/releases/$3.pending"
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
