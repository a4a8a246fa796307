# shellcheck shell=bash
# What a boot that failed leaves behind: the end of its log in the state bucket, without a parameter's value.

# About as much as a console keeps.
LOG_BYTES=65536

# Every value that this boot reads or writes: in memory, for root alone, until the boot ends. Call it when
# no other boot runs: what one that was killed left behind goes.
remember_values() {
  rm -f /run/kube-cfn/values.*
  EC2_VALUES="/run/kube-cfn/values.$$"
  (umask 077 && : > "${EC2_VALUES}")
  export EC2_VALUES
}

forget_values() {
  rm -f "/run/kube-cfn/values.$$"
}

# Standard input with [value] in place of every line of a value, and of every longer word of one: what
# stands alone in a file may stand inside a line of a log. A short line counts where it is a line of its own.
without_values() {
  LC_ALL=C awk '
    function trimmed(text) {
      gsub(/^[ \t\r]+|[ \t\r]+$/, "", text)
      return text
    }
    function hide(value, text, at, done) {
      while ((at = index(text, value)) > 0) {
        done = done substr(text, 1, at - 1) "[value]"
        text = substr(text, at + length(value))
      }
      return done text
    }
    FILENAME == ARGV[1] {
      text = trimmed($0)
      if (length(text) >= 12) lines[text]
      else if (text != "") short[text]
      count = split($0, parts, /[^A-Za-z0-9+\/=_-]+/)
      for (at = 1; at <= count; at++) if (length(parts[at]) >= 12) words[parts[at]]
      next
    }
    {
      text = $0
      if (trimmed(text) in short) text = "[value]"
      for (value in lines) text = hide(value, text)
      for (value in words) text = hide(value, text)
      print text
    }' "${EC2_VALUES:-/dev/null}" -
}

# store_log REASON: the journal of this attempt as an object that only people read. Whoever needs it finds
# the machine by its id in the key. Nothing depends on it, so a failure is said and no more.
store_log() {
  local file=/run/kube-cfn/boot.log key
  key="$(date --utc +%Y%m%dT%H%M%SZ).log"
  journalctl --sync || true
  {
    printf '%s of %s, attempt %s\n' "${NODE_ROLE}" "${NODE_CLUSTER}" "${ATTEMPT}"
    journalctl --quiet --no-pager --output cat "_SYSTEMD_INVOCATION_ID=${INVOCATION_ID:-}" || true
    printf '%s\n' "$1"
  } | without_values | tail --bytes "${LOG_BYTES}" > "${file}"
  ec2_store_own "${file}" "${key}" || say 'the log was not stored; see journalctl -u kube-cfn-boot'
  rm -f "${file}"
}
