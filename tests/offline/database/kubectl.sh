#!/bin/bash
# Stand-in for kubectl: objects are files below ${WORLD}/objects, `NAMESPACE/NAME.json` for a Secret and
# `NAMESPACE.json` for a namespace. Takes just what bin/database asks of it and fails on anything else.
set -euo pipefail

die() {
  echo "$*" >&2
  exit 1
}

printf '%s\n' "$*" >> "${WORLD}/kubectl.log"
[ ! -e "${WORLD}/api-is-down" ] || die 'The connection to the server 127.0.0.1:6443 was refused'
[ "${KUBECONFIG}" = "${WORLD}/tree/etc/kube-cfn/local-admin.conf" ] || die "error: KUBECONFIG is ${KUBECONFIG}"
[ "$1" = --request-timeout=30s ] || die 'error: no limit of time'
shift
objects="${WORLD}/objects"
if [ -e "${WORLD}/cut-kubectl" ] && [ "$(grep -c . "${WORLD}/kubectl.log")" -ge "$(cat "${WORLD}/cut-kubectl")" ]; then
  die 'Error from server: etcdserver: leader changed'
fi

# Reads a manifest from standard input, as the API server checks it.
read_manifest() {
  new="$(mktemp "${WORLD}/manifest.XXXXXX")"
  cat > "${new}"
  jq --exit-status '.apiVersion == "v1" and ((.data // {}) | all(.[]; @base64d | type == "string"))' "${new}" > /dev/null \
    || die 'error: the manifest is not valid'
  name="$(jq -r .metadata.name "${new}")"
  case "$(jq -r .kind "${new}")" in
    Namespace) file="${objects}/${name}.json" ;;
    Secret)
      namespace="$(jq -r .metadata.namespace "${new}")"
      [ -e "${objects}/${namespace}.json" ] || die "Error from server (NotFound): namespaces \"${namespace}\" not found"
      mkdir -p "${objects}/${namespace}"
      file="${objects}/${namespace}/${name}.json"
      ;;
    *) die 'error: unknown kind' ;;
  esac
}

get_secret() { # get_secret NAME --namespace NAMESPACE --ignore-not-found --output json
  [ "$2 $4 $5 $6" = '--namespace --ignore-not-found --output json' ] || die "error: get secret $*"
  [ ! -e "${objects}/$3/$1.json" ] || cat "${objects}/$3/$1.json"
}

get_namespace() { # get_namespace NAME --ignore-not-found --output name
  [ "$2 $3 $4" = '--ignore-not-found --output name' ] || die "error: get namespace $*"
  [ ! -e "${objects}/$1.json" ] || echo "namespace/$1"
}

get_secrets() { # get_secrets --all-namespaces --selector KEY=VALUE --output json
  [ "$1 $2 $4 $5" = '--all-namespaces --selector --output json' ] || die "error: get secrets $*"
  find "${objects}" -mindepth 2 -name '*.json' -exec cat {} + | jq -s --arg key "${3%%=*}" --arg value "${3#*=}" \
    '{kind: "List", items: map(select(.metadata.labels[$key] == $value))}'
}

case "$1 $2" in
  'get secret') shift 2 && get_secret "$@" ;;
  'get secrets') shift 2 && get_secrets "$@" ;;
  'get namespace') shift 2 && get_namespace "$@" ;;
  'create --field-manager')
    [ "$3 $4 $5" = 'kube-cfn -f -' ] || die "error: $*"
    read_manifest
    # A link is made by one of several at once.
    ln "${new}" "${file}" 2> /dev/null || die "Error from server (AlreadyExists): secrets \"${name}\" already exists"
    rm "${new}"
    ;;
  'apply --server-side')
    [ "$3 $4 $5 $6 $7" = '--field-manager kube-cfn --force-conflicts -f -' ] || die "error: $*"
    read_manifest
    # Server-side apply leaves alone what the manifest does not name.
    [ -e "${file}" ] || echo '{}' > "${file}"
    jq -s '.[0] * .[1]' "${file}" "${new}" > "${new}.merged"
    mv "${new}.merged" "${file}"
    rm "${new}"
    ;;
  'delete secret')
    [ "$4 $6" = '--namespace --ignore-not-found' ] || die "error: $*"
    rm -f "${objects}/$5/$3.json"
    ;;
  *) die "error: the stand-in does not know: $*" ;;
esac
