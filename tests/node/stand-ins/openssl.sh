# shellcheck shell=bash
# Stands in for openssl 3.0 (apps/x509.c): when a certificate of the tests ends, which is a line of its text. Everything
# else, real certificates and keys among it, is for the real one.

REAL=/usr/bin/openssl

unknown_flag() {
  echo "x509: Unrecognized flag ${1#-}" >&2
  exit 1
}

no_value() {
  echo "x509: Option $1 needs a value" >&2
  exit 1
}

main() {
  local file end='Jan  1 00:00:00 2099 GMT'
  [ "${1:-}" = x509 ] || exec "${REAL}" "$@"
  options '-noout -enddate -pubkey -in= -checkend=' "$@"
  [ "${#REST[@]}" -eq 1 ] && [ "${REST[0]}" = x509 ] || { echo "Invalid command '${REST[*]}'; type \"help\" for a list." >&2 && exit 1; }
  file="${OPTION[-in]:-}"
  if [ -z "${file}" ]; then
    TEXT="$(cat)"
  elif [ -e "${ROOT}${file}" ]; then
    text_of "${ROOT}${file}"
  else
    echo "Could not open file or uri for loading certificate from ${file}: No such file or directory" >&2
    exit 1
  fi
  # A line of the tests' own texts has words.
  [[ ! "${TEXT}" =~ ^-----BEGIN\ CERTIFICATE-----$'\n'[A-Za-z0-9+/=]+$'\n' ]] || exec "${REAL}" "$@" <<< "${TEXT}"
  [[ "${TEXT}" == *'-----BEGIN CERTIFICATE-----'*'-----END CERTIFICATE-----'* ]] \
    || { echo "Could not find certificate from ${file:-<stdin>}" >&2 && exit 1; }
  if [[ "${TEXT}" == *$'\n'ends* ]]; then
    end="${TEXT#*$'\n'ends }"
    end="${end%%$'\n'*}"
  fi
  [ -z "${OPTION[-enddate]:-}" ] || echo "notAfter=${end}"
  [ -n "${OPTION[-noout]:-}" ] || printf '%s\n' "${TEXT}"
  [ -n "${OPTION[-checkend]:-}" ] || return 0
  [ "$(($(date --date "${end}" +%s) - $(date +%s)))" -ge "${OPTION[-checkend]}" ] || { echo 'Certificate will expire' && exit 1; }
}
