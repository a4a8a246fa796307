# shellcheck shell=bash
# What any node needs before the first Kubernetes program: packages, kernel settings, containerd.

# Programs of the system, each with the package that has it. Where all are there nothing is installed.
PROGRAMS='conntrack:conntrack-tools iptables:iptables-nft nft:nftables ethtool:ethtool socat:socat
  mount.nfs:nfs-utils jq:jq mkfs.xfs:xfsprogs tar:tar openssl:openssl cmp:diffutils
  /opt/aws/bin/cfn-signal:aws-cfn-bootstrap'

missing_packages() {
  local pair
  for pair in ${PROGRAMS}; do
    command -v "${pair%%:*}" > /dev/null || printf '%s\n' "${pair#*:}"
  done
}

install_packages() {
  local packages
  mapfile -t packages < <(missing_packages)
  [ "${#packages[@]}" -gt 0 ] || return 0
  command -v dnf > /dev/null \
    || fail "install ${packages[*]}: this system has no dnf; install them with its own package manager"
  say "install ${packages[*]}"
  attempt 10 15 dnf --assumeyes --quiet --setopt=install_weak_deps=False install "${packages[@]}" \
    || CODE=download fail "install ${packages[*]}: dnf failed ten times; can this machine reach the package repositories?"
}

# The bundle has put the files in place; a machine that was already up has to read them now.
apply_host_settings() {
  systemctl daemon-reload
  [ ! -e /run/kube-cfn/host-settings ] || return 0
  # A module may be built in, or br_netfilter be missing, which Cilium does not need: what counts is checked afterwards.
  systemctl restart systemd-modules-load.service || say 'a kernel module was not loaded; see journalctl -u systemd-modules-load'
  grep -qw overlay /proc/filesystems || fail "load overlay: this kernel has no such file system, which containerd needs; use another image, or see journalctl -u systemd-modules-load"
  systemctl restart systemd-sysctl.service || say 'a kernel setting was refused; see journalctl -u systemd-sysctl'
  [ "$(cat /proc/sys/net/ipv4/ip_forward)" = 1 ] || fail 'forward packets of pods: net.ipv4.ip_forward is not 1; see journalctl -u systemd-sysctl'
  systemctl try-restart systemd-networkd.service || fail 'restart systemd-networkd: see journalctl -u systemd-networkd'
  mkdir -p /run/kube-cfn
  touch /run/kube-cfn/host-settings
}

start_containerd() {
  systemctl enable containerd.service
  systemctl start containerd.service || fail 'start containerd: see journalctl -u containerd'
  await 60 crictl --timeout 5s version > /dev/null || fail 'reach containerd: it does not answer; see journalctl -u containerd'
}

# Without NAT nodes reach a public load balancer from addresses that no security group can list: on these machines
# the API's name resolves to the control-plane nodes themselves.
write_api_hosts() {
  local hosts pair
  [ "${NODE_API_BY_SLOT}" = yes ] || return 0
  hosts="$(grep -v ' # kube-cfn$' /etc/hosts || true)"
  for pair in ${NODE_SLOTS}; do
    hosts+=$'\n'"${pair#*=} ${API_HOST} # kube-cfn"
  done
  put /etc/hosts 644 <<< "${hosts}"
}

# fill FILE: prints it with this machine's values in place of the @NAMES@.
fill() {
  local resolver=/etc/resolv.conf
  # With the stub of systemd-resolved the cluster's DNS server would ask itself.
  [ ! -e /run/systemd/resolve/resolv.conf ] || resolver=/run/systemd/resolve/resolv.conf
  sed -e "s#@NODE@#${NODE}#g" -e "s#@ADDRESS@#${ADDRESS}#g" -e "s#@API_HOST@#${API_HOST}#g" \
    -e "s#@SLOT@#${SLOT}#g" -e "s#@ETCD_STATE@#${ETCD_STATE:-new}#g" \
    -e "s#@ETCD_TOKEN@#${ETCD_TOKEN:-}#g" -e "s#@RESOLVER@#${resolver}#g" \
    -e "s#@ISSUER@#${ISSUER:-https://kubernetes.default.svc.cluster.local}#g" \
    -e "s#@CERTIFICATES@#${CERTIFICATES:-/etc/kubernetes/pki}#g" "$1"
}
