# shellcheck shell=bash
# Installs what /etc/kube-cfn/binaries lists: name, sha256 and URL, one a line; all of them at the same time.

INSTALLED=/var/lib/kube-cfn/installed
# Beside the programs: a file that is complete gets its place by a rename, and has the security context of programs.
DOWNLOADS=/usr/local/bin/.kube-cfn

install_binaries() {
  local name sha256 url
  local -a begun=()
  # What an interrupted boot left was never used.
  rm -rf "${DOWNLOADS}"
  mkdir -p "${INSTALLED}" /usr/local/bin /opt/cni/bin
  while read -r name sha256 url <&3; do
    [ -n "${name}" ] || continue
    [ "$(cat "${INSTALLED}/${name}" 2> /dev/null || true)" != "${sha256}" ] || continue
    beside "install ${name}" install_binary "${name}" "${sha256}" "${url}"
    begun+=("install ${name}")
  done 3< /etc/kube-cfn/binaries
  finish "${begun[@]}"
  rm -rf "${DOWNLOADS}"
}

# The stamp comes after the programs are on the disk: a boot after a power cut installs again what has none.
install_binary() {
  local name="$1" sha256="$2" url="$3" place="${DOWNLOADS}/$1"
  say "install ${name} from ${url}"
  mkdir -p "${place}/tree"
  attempt 5 10 download "${url}" "${place}/file" \
    || CODE=download fail "download ${url}: five attempts failed; can this machine reach it, or does the mirror lack it?"
  [ "$(< "${place}/sha256")" = "${sha256}" ] \
    || CODE=download fail "verify ${url}: its sha256 is not ${sha256}; the file was changed in transit or at its source"
  place_binary "${name}" "${place}/file" "${place}/tree" || fail "unpack ${url}: it is not laid out as ${name} should be"
  put "${INSTALLED}/${name}" 644 <<< "${sha256}"
  rm -rf "${place}"
}

# download URL FILE: computes the sum on the way, into a file beside it. A connection that carries nothing is given up.
download() {
  curl --silent --show-error --fail --location --connect-timeout 15 --speed-limit 1024 --speed-time 30 "$1" \
    | tee "$2" | sha256sum | cut -d ' ' -f 1 > "${2%/*}/sha256"
}

# place_binary NAME FILE TREE: unpacks into TREE, and moves the programs to their places.
place_binary() {
  local name="$1" file="$2" tree="$3" to=/usr/local/bin
  local -a programs=()
  case "${name}" in
    containerd | cni-plugins | crictl | etcd | helm) tar -C "${tree}" --no-same-owner -xzf "${file}" || return 1 ;;
  esac
  case "${name}" in
    containerd) programs=("${tree}"/bin/*) ;;
    cni-plugins)
      to=/opt/cni/bin
      mapfile -t programs < <(find "${tree}" -type f -perm -u+x)
      ;;
    crictl) programs=("${tree}/crictl") ;;
    etcd) programs=("${tree}"/*/etcdctl "${tree}"/*/etcdutl) ;;
    helm) programs=("${tree}"/*/helm) ;;
    # The kubelet gets its directory: it must contain nothing else.
    ecr-credential-provider) to=/opt/kube-cfn/credential programs=("${file}") ;;
    *) programs=("${file}") ;;
  esac
  [ "${#programs[@]}" -gt 0 ] || return 1
  chmod 0755 "${programs[@]}" && sync "${programs[@]}" && mkdir -p "${to}" || return 1
  case "${name}" in
    containerd | cni-plugins | crictl | etcd | helm) mv -f -t "${to}" "${programs[@]}" ;;
    *) mv -f "${file}" "${to}/${name}" ;;
  esac && sync "${to}"
}
