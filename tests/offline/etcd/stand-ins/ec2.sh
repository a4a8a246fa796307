# shellcheck shell=bash
# The seam to EC2 over files: the bucket and the parameters are directories beside the slots' trees.

seam_home=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../../.." && pwd)/aws

ec2_parameter() {
  [ -e "${seam_home}/parameters/$1" ] || return 4
  cat "${seam_home}/parameters/$1"
}

ec2_put_parameter() {
  local file="${seam_home}/parameters/$1"
  mkdir -p "$(dirname "${file}")"
  cat > "${file}.$$"
  mv "${file}.$$" "${file}"
}

# The bucket does not answer while this file is there.
bucket_is_down="${seam_home}/bucket-is-down"

ec2_store() {
  [ ! -e "${bucket_is_down}" ] || return 1
  local file="${seam_home}/bucket/$2"
  mkdir -p "$(dirname "${file}")"
  cp "$1" "${file}.$$"
  mv "${file}.$$" "${file}"
}

ec2_fetch() { cp "${seam_home}/bucket/$1" "$2"; }

ec2_list() { [ ! -e "${bucket_is_down}" ] && (cd "${seam_home}/bucket" && find . -type f -printf '%T@ %P\n' | sort -n | cut -d ' ' -f 2- | grep "^$1" || true); }

ec2_remove() { rm -f "${seam_home}/bucket/$1"; }
