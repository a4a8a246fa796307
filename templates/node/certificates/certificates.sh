# shellcheck shell=bash
# The certificates of a control-plane node: where each one is, when it ends, and how kubeadm makes new ones. Sourced by
# boot and by the programs for certificates, after etcd-members.sh; does nothing by itself.

# kubeadm's certificates live a year: with this many seconds left they are renewed.
CERTIFICATE_SECONDS=$((90 * 86400))
# The kubelet renews its own one between 110 and 36 days before its end: with less it has failed to.
KUBELET_CERTIFICATE_SECONDS=$((30 * 86400))
# The hash of the certificates that each static pod has started with; a reboot, which starts all of them, forgets it.
POD_CERTIFICATES="${etcd_root:-}/run/kube-cfn/pod-certificates"

# Each certificate on a line: NAME FILE. In a kubeconfig it is the client's.
certificate_files() {
  local kubernetes="${etcd_root:-}/etc/kubernetes" kubelet="${etcd_root:-}/var/lib/kubelet/pki/kubelet-client-current.pem" name
  for name in apiserver apiserver-kubelet-client apiserver-etcd-client front-proxy-client \
    etcd/server etcd/peer etcd/healthcheck-client; do
    printf '%s %s\n' "${name/\//-}" "${kubernetes}/pki/${name}.crt"
  done
  for name in admin super-admin controller-manager scheduler; do
    printf '%s %s\n' "${name}.conf" "${kubernetes}/${name}.conf"
  done
  printf '%s %s\n' local-admin.conf "${etcd_root:-}/etc/kube-cfn/local-admin.conf"
  # Until it has taken one of its own, the kubelet uses the one that kubeadm made for it.
  [ -e "${kubelet}" ] || kubelet="${kubernetes}/kubelet.conf"
  printf '%s %s\n' kubelet "${kubelet}"
}

# certificate_end FILE: its end in seconds since 1970; fails with the reason on stderr.
certificate_end() {
  local end
  [ -s "$1" ] || { echo "$1 is missing or empty" >&2; return 1; }
  if [[ $1 == *.conf ]]; then
    end="$(sed -n '/^ *client-certificate-data: */{s///p;q}' "$1" | base64 --decode 2> /dev/null \
      | openssl x509 -noout -enddate 2> /dev/null)" || end=''
  else
    end="$(openssl x509 -noout -enddate -in "$1" 2> /dev/null)" || end=''
  fi
  [[ ${end} == notAfter=* ]] || { echo "$1 holds no readable certificate" >&2; return 1; }
  date --utc --date "${end#notAfter=}" +%s
}

# The names of those that end soon or can't be read.
certificates_ending() {
  local name file end least now
  now="$(date +%s)"
  while read -r name file; do
    least="${CERTIFICATE_SECONDS}"
    [ "${name}" != kubelet ] || least="${KUBELET_CERTIFICATE_SECONDS}"
    end="$(certificate_end "${file}" 2> /dev/null)" || end=0
    [ "$((end - now))" -ge "${least}" ] || printf '%s\n' "${name}"
  done < <(certificate_files)
}

# The hash of what the static pods read at their start: those that started with something else have to start again.
certificates_hash() {
  local name file
  while read -r name file; do
    case "${name}" in
      admin.conf | super-admin.conf | local-admin.conf | kubelet) ;;
      *) cat "${file}" ;;
    esac
  done < <(certificate_files) | sha256sum | cut -d ' ' -f 1
}

# pod_is_current COMPONENT HASH: whether the static pod has started with the certificates of that hash.
pod_is_current() {
  local file="${POD_CERTIFICATES}/$1"
  [ ! -e "${file}" ] || [ "$(< "${file}")" = "$2" ]
}

# make_certificates STAGE: has kubeadm make all of them in STAGE, which lies on the disk of the old ones, and only then
# puts each in its place by a rename. Without the record of the inputs a boot makes them again: it is away meanwhile.
# The old ones stay in place if kubeadm fails. The kubelet drops its own one, which may be of another authority or past
# its end, and takes another with the new one in kubelet.conf. Needs common.sh, host.sh, and boot's PKI and INPUTS.
make_certificates() {
  local stage="$1" name file text
  rm -rf "${stage}"
  mkdir -m 700 "${stage}"
  mkdir -p "${stage}/pki/etcd"
  for name in ca.crt ca.key front-proxy-ca.crt front-proxy-ca.key etcd/ca.crt etcd/ca.key sa.key sa.pub; do
    ln -s "${PKI}/${name}" "${stage}/pki/${name}"
  done
  text="$(CERTIFICATES="${stage}/pki" fill /etc/kube-cfn/kubeadm/config.yaml.in)"
  put "${stage}/config.yaml" 600 <<< "${text}"
  { kubeadm init phase certs all --config "${stage}/config.yaml" \
    && kubeadm init phase kubeconfig all --config "${stage}/config.yaml" --kubeconfig-dir "${stage}"; } || {
    rm -rf "${stage}"
    fail 'make new certificates: kubeadm failed, see the lines above; the old ones are still in place'
  }
  sync
  rm -f "${INPUTS}"
  sync
  while read -r file; do
    mv -f "${stage}/${file}" "${PKI%/pki}/${file}"
  done < <(cd "${stage}" && find . -type f ! -name config.yaml)
  rm -f /var/lib/kubelet/pki/kubelet-client-current.pem
  sync
  rm -rf "${stage}"
}
