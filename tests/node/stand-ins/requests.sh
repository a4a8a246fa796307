# shellcheck shell=bash
# The API server of the cluster for who asks it for a certificate by curl: the certificate requests, and the controllers
# that decide, sign and clean up. A request is a file below ROOT/srv/cluster/requests.
#
# ROOT/srv/no-certificate keeps requests pending, ROOT/srv/denial denies them with its text, ROOT/srv/refused-token is a
# token that has ended.

KNOWN="${ROOT}/srv/cluster/requests"

unknown_flag() { echo "curl: option $1: is unknown" >&2 && exit 2; }
no_value() { echo "curl: option $1: requires parameter" >&2 && exit 2; }

# answers CODE JSON: what curl prints, with its code on the last line.
answers() {
  printf '%s\n%s' "$2" "$1"
  exit 0
}

status() {
  answers "$1" "{\"kind\": \"Status\", \"code\": $1, \"message\": \"$2\"}"
}

# Of who has the token: system:node-bootstrapper allows create, get, list and watch.
authenticate() {
  local config
  config="$(cat)"
  [[ "${config}" =~ ^header\ =\ \"Authorization:\ Bearer\ ([a-z0-9]{6}\.[a-z0-9]{16})\"$ ]] || { echo 'curl: (2) the configuration has no token' >&2 && exit 2; }
  [ ! -e "${ROOT}/srv/refused-token" ] || [ "$(< "${ROOT}/srv/refused-token")" != "${BASH_REMATCH[1]}" ] || status 401 Unauthorized
}

# Signs with an authority of its own.
sign() {
  local authority="${ROOT}/srv/cache/signer"
  [ -e "${authority}.pem" ] || /usr/bin/openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 9 \
    -subj /CN=ca -keyout "${authority}.key" -out "${authority}.pem" -config /dev/stdin 2> /dev/null \
    <<< $'[req]\ndistinguished_name = name\n[name]'
  jq -r '.spec.request | @base64d' "$1" \
    | /usr/bin/openssl x509 -req -days 9 -CA "${authority}.pem" -CAkey "${authority}.key" -set_serial 7 2> /dev/null
}

# What the controllers of the cluster make of a request.
decide() {
  local certificate denial
  if [ -e "${ROOT}/srv/denial" ]; then
    denial="$(< "${ROOT}/srv/denial")"
    jq --arg message "${denial}" '.status.conditions = [{type: "Denied", status: "True", reason: "KubeCfnApproveNodes", message: $message}]' "$1"
  elif [ -e "${ROOT}/srv/no-certificate" ]; then
    cat "$1"
  else
    certificate="$(sign "$1" | base64 --wrap=0)"
    jq --arg certificate "${certificate}" '.status.certificate = $certificate
      | .status.conditions = [{type: "Approved", status: "True"}]' "$1"
  fi
}

create() {
  local body="${OPTION[--data-binary]:-}" name
  [[ "${OPTION[--header]:-}" == 'Content-Type: application/json' && "${body}" == @* ]] || status 415 'unsupported media type'
  name="$(jq -r 'select(.kind == "CertificateSigningRequest" and .apiVersion == "certificates.k8s.io/v1"
    and .spec.signerName == "kubernetes.io/kube-apiserver-client-kubelet"
    and (.spec.usages | sort) == ["client auth", "digital signature"]) | .metadata.name' "${ROOT}${body#@}")" || status 400 'no JSON'
  [ -n "${name}" ] || status 422 'invalid'
  [ ! -e "${KNOWN}/${name}" ] || status 409 'already exists'
  mkdir -p "${KNOWN}"
  cp "${ROOT}${body#@}" "${KNOWN}/${name}"
  answers 201 "$(jq . "${KNOWN}/${name}")"
}

main() {
  local url name
  options '--config= --silent --max-time= --cacert= --request= --header=* --data-binary= --write-out=' "$@"
  [ "${OPTION[--config]:-}" = - ] && [ "${OPTION[--write-out]:-}" = '\n%{http_code}' ] && [ -s "${ROOT}${OPTION[--cacert]:-}" ] || exit 77
  [ ! -e "${ROOT}/srv/api-is-away" ] || { printf '\n000' && exit 7; }
  authenticate
  url="${REST[0]}" name="${REST[0]##*/certificatesigningrequests}"
  [[ "${url}" == https://*:6443/apis/certificates.k8s.io/v1/certificatesigningrequests* ]] || status 404 'not found'
  case "${OPTION[--request]:-GET} ${name}" in
    'POST ') create ;;
    'GET /'*)
      [ -e "${KNOWN}${name}" ] || status 404 'not found'
      answers 200 "$(decide "${KNOWN}${name}")"
      ;;
    *) status 405 'method not allowed' ;;
  esac
}
