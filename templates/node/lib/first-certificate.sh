# shellcheck shell=bash disable=SC2153
# The first client certificate of a node of a pool. This program asks for it with the bootstrap token, since the kubelet
# would make another key at each try, and the control plane approves one key of a machine (bin/approve-nodes there).
#
# The key is on disk before anybody hears of it, and the name of the request is made of it: a boot after a power cut asks
# for the same again. The kubelet finds certificate and key in the form of its own store, and renews them by itself.

KUBELET_PKI=/var/lib/kubelet/pki
CERTIFICATE="${KUBELET_PKI}/kubelet-client-current.pem"
# Both are removed when the certificate is there. The request is the object as the API server gets it.
FIRST_KEY="${KUBELET_PKI}/kube-cfn-first.key"
FIRST_REQUEST="${KUBELET_PKI}/kube-cfn-first.json"
REQUESTS=/apis/certificates.k8s.io/v1/certificatesigningrequests

# The name of the request, the token, the last answer of the API server with its HTTP code, and why there is no
# certificate yet.
NAME='' TOKEN='' ANSWER='' HTTP='' WHY=''

has_certificate() {
  [ -e "${CERTIFICATE}" ] && openssl x509 -checkend 0 -noout -in "${CERTIFICATE}" > /dev/null 2>&1
}

refuse_expired_certificate() {
  if [ ! -e "${CERTIFICATE}" ] || has_certificate || ! openssl x509 -noout -in "${CERTIFICATE}" > /dev/null 2>&1; then
    return 0
  fi
  fail "use the client certificate of this machine: it has expired, and no machine gets a second first one; this machine has to be replaced: terminate instance ${NODE}, its group launches a new one"
}

make_key() {
  local key
  ! openssl pkey -noout -in "${FIRST_KEY}" > /dev/null 2>&1 || return 0
  key="$(openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 2> /dev/null)" || fail 'make a key: openssl failed'
  put "${FIRST_KEY}" 600 <<< "${key}"
}

# Signing it again would give another text: it is kept with the key.
make_request() {
  local hash pem text
  hash="$(openssl pkey -in "${FIRST_KEY}" -pubout -outform DER | sha256sum)" || fail "read ${FIRST_KEY}: openssl failed"
  NAME="node-csr-${NODE}-${hash:0:32}"
  [ "$(jq -r .metadata.name "${FIRST_REQUEST}" 2> /dev/null || true)" != "${NAME}" ] || return 0
  pem="$(openssl req -new -key "${FIRST_KEY}" -subj "/O=system:nodes/CN=system:node:${NODE}" -config /dev/stdin \
    <<< $'[req]\ndistinguished_name = name\n[name]')" || fail "make a certificate request: openssl failed"
  text="$(jq -n --arg name "${NAME}" --arg pem "${pem}" '{apiVersion: "certificates.k8s.io/v1",
    kind: "CertificateSigningRequest", metadata: {name: $name}, spec: {request: ("\($pem)\n" | @base64),
    signerName: "kubernetes.io/kube-apiserver-client-kubelet", usages: ["digital signature", "client auth"]}}')"
  put "${FIRST_REQUEST}" 600 <<< "${text}"
}

# The token is valid for two hours, and renewed before its end.
read_token() {
  local token
  token="$(ec2_parameter worker/bootstrap-token)" || return 1
  [[ "${token}" =~ ^[a-z0-9]{6}\.[a-z0-9]{16}$ ]] || return 1
  TOKEN="${token}"
}

# ask VERB PATH [FILE]: one HTTP request with the token, which is in no argument; sets ANSWER and HTTP.
ask() {
  local said
  local -a body=()
  [ "$#" -lt 3 ] || body=(--header 'Content-Type: application/json' --data-binary "@$3")
  said="$(printf 'header = "Authorization: Bearer %s"\n' "${TOKEN}" | curl --config - --silent --max-time 20 \
    --cacert "${CA}" --request "$1" "${body[@]}" --write-out '\n%{http_code}' "https://${API_HOST}:6443$2")" || true
  HTTP="${said##*$'\n'}" ANSWER="${said%$'\n'*}"
}

# Posts the request where there is none, also after the cluster's cleaner has removed it: that takes an hour.
ask_for_certificate() {
  [ -n "${TOKEN}" ] || read_token || { WHY='the parameter worker/bootstrap-token cannot be read any more'; return 1; }
  ask GET "${REQUESTS}/${NAME}"
  [ "${HTTP}" != 404 ] || ask POST "${REQUESTS}" "${FIRST_REQUEST}"
  case "${HTTP}" in
    200) ;;
    201 | 409) WHY="its request ${NAME} was made and has no decision" ;;
    401 | 403) TOKEN='' WHY="the API server refuses the bootstrap token (${HTTP}); is the parameter worker/bootstrap-token renewed? see journalctl -u kube-cfn-bootstrap-token on a control-plane node" ;;
    [1-5]??) WHY="the API server answers with ${HTTP}: $(plain_text '.message? // "no message"')" ;;
    *) WHY='none after twenty minutes; does the API answer from here?' ;;
  esac
  [ "${HTTP}" = 200 ]
}

# plain_text FILTER: a text of the answer, on one line and not too long.
plain_text() {
  local said
  said="$(jq -r "$1" <<< "${ANSWER}" 2> /dev/null)" || true
  said="${said//[^[:print:]]/ }"
  printf '%s\n' "${said:0:600}"
}

# A denial is final: another request would be denied as well.
fail_if_denied() {
  local denial
  denial="$(plain_text '[.status.conditions[]? | select(.type == "Denied" or .type == "Failed")][0] // empty
    | "\(.type): \(.message // .reason // "")"')"
  [ -z "${denial}" ] \
    || CODE='join' fail "get a client certificate from https://${API_HOST}:6443: the request ${NAME} is ${denial}; this machine has to be replaced: terminate instance ${NODE}, its group launches a new one"
}

take_certificate() {
  local certificate
  ask_for_certificate || return 1
  jq --exit-status --slurpfile own "${FIRST_REQUEST}" '.spec.request == $own[0].spec.request' > /dev/null <<< "${ANSWER}" \
    || fail "get a client certificate from https://${API_HOST}:6443: the request ${NAME} there was made by somebody else with the bootstrap token; delete it: kubectl delete csr ${NAME}"
  fail_if_denied
  certificate="$(jq -r '.status.certificate // empty | @base64d' <<< "${ANSWER}")" || certificate=''
  if [ -z "${certificate}" ]; then
    WHY="its request ${NAME} has no certificate after twenty minutes; see kubectl describe csr ${NAME}, and journalctl -u kube-cfn-approve-nodes on the control-plane nodes"
    return 1
  fi
  store_certificate "${certificate}"
}

# As the kubelet's own store does it (certificate_store.go of client-go): certificate and key in one file with the time
# in its name, and an absolute link.
store_certificate() {
  local key pair wanted whole="${KUBELET_PKI}/kube-cfn-first.pem" updated="${KUBELET_PKI}/kubelet-client-updated.pem"
  wanted="$(openssl pkey -in "${FIRST_KEY}" -pubout)" || fail "read ${FIRST_KEY}: openssl failed"
  [ "$(openssl x509 -noout -pubkey <<< "$1")" = "${wanted}" ] \
    || fail "use the certificate of the request ${NAME}: it is not for the key of this machine"
  pair="${KUBELET_PKI}/kubelet-client-$(date +%Y-%m-%d-%H-%M-%S).pem"
  key="$(< "${FIRST_KEY}")"
  # Whole on the disk before it has its name.
  put "${whole}" 600 <<< "$1"$'\n'"${key}" && mv -f "${whole}" "${pair}" && ln -sfn "${pair}" "${updated}" \
    && mv -fT "${updated}" "${CERTIFICATE}" && sync "${KUBELET_PKI}" && return
  WHY="its certificate could not be written into ${KUBELET_PKI}; see df"
  return 1
}

# A worker may boot before the control plane has made the first token.
get_first_certificate() {
  refuse_expired_certificate
  if ! has_certificate; then
    make_key
    make_request
    sync
    await 1200 read_token || CODE='join' fail 'read the parameter worker/bootstrap-token: none after twenty minutes; is a control-plane node up?'
    await 1200 take_certificate || CODE='join' fail "get a client certificate from https://${API_HOST}:6443: ${WHY}"
  fi
  rm -f "${FIRST_KEY}" "${FIRST_REQUEST}"
}
