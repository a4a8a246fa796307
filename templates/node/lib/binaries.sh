# shellcheck shell=bash
# Installs what /etc/kube-cfn/binaries lists: name, sha256 and URL, one a line.

INSTALLED=/var/lib/kube-cfn/installed
DOWNLOADS=/var/lib/kube-cfn/downloads

install_binaries() {
  local name sha256 url
  mkdir -p "${INSTALLED}" /usr/local/bin /opt/cni/bin
  while read -r name sha256 url <&3; do
    [ -n "${name}" ] || continue
    [ "$(cat "${INSTALLED}/${name}" 2> /dev/null || true)" != "${sha256}" ] || continue
    install_binary "${name}" "${sha256}" "${url}"
    put "${INSTALLED}/${name}" 644 <<< "${sha256}"
  done 3< /etc/kube-cfn/binaries
  rm -rf "${DOWNLOADS}"
}

install_binary() {
  local name="$1" sha256="$2" url="$3" file
  say "install ${name} from ${url}"
  rm -rf "${DOWNLOADS}"
  mkdir -p "${DOWNLOADS}/tree"
  file="${DOWNLOADS}/file"
  attempt 5 10 curl --silent --show-error --fail --location --connect-timeout 15 --output "${file}" "${url}" \
    || CODE=download fail "download ${url}: five attempts failed; can this machine reach it, or does the mirror lack it?"
  echo "${sha256}  ${file}" | sha256sum --check --status \
    || CODE=download fail "verify ${url}: its sha256 is not ${sha256}; the file was changed in transit or at its source"
  place_binary "${name}" "${file}" || fail "unpack ${url}: it is not laid out as ${name} should be"
  sync
}

place_binary() {
  local name="$1" file="$2" tree="${DOWNLOADS}/tree"
  case "${name}" in
    containerd)
      tar -C "${tree}" -xzf "${file}" && install -m 0755 "${tree}"/bin/* /usr/local/bin/
      ;;
    cni-plugins)
      tar -C "${tree}" -xzf "${file}" && find "${tree}" -type f -perm -u+x -exec install -m 0755 -t /opt/cni/bin {} +
      ;;
    crictl)
      tar -C "${tree}" -xzf "${file}" && install -m 0755 "${tree}/crictl" /usr/local/bin/
      ;;
    etcd)
      tar -C "${tree}" -xzf "${file}" --strip-components=1 \
        && install -m 0755 "${tree}/etcdctl" "${tree}/etcdutl" /usr/local/bin/
      ;;
    helm)
      tar -C "${tree}" -xzf "${file}" --strip-components=1 && install -m 0755 "${tree}/helm" /usr/local/bin/
      ;;
    ecr-credential-provider)
      # The kubelet gets the directory: it must contain nothing else.
      install -D -m 0755 "${file}" /opt/kube-cfn/credential/ecr-credential-provider
      ;;
    *)
      install -m 0755 "${file}" "/usr/local/bin/${name}"
      ;;
  esac
}
