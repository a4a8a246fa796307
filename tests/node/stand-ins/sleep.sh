# shellcheck shell=bash
# Stands in for sleep: the machine's clock goes on at once.

main() {
  now
  printf '%d\n' "$((NOW + ${1%%[!0-9]*}))" > "${ROOT}/run/clock"
}
