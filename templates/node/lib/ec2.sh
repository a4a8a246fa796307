# shellcheck shell=bash
# All calls of a node to AWS, its metadata service included. To run a node outside AWS, replace this file.
# Needs NODE_CLUSTER, NODE_REGION and, for volume, bucket and signal, host.env; to attach, common.sh.

export AWS_REGION="${NODE_REGION}" AWS_RETRY_MODE=standard AWS_MAX_ATTEMPTS=8 AWS_PAGER=''
# The CLI asks the metadata service once and for a second, and says then that there are no credentials.
export AWS_METADATA_SERVICE_TIMEOUT=5 AWS_METADATA_SERVICE_NUM_ATTEMPTS=6

# An answer that never ends must not hold a boot up: each try has its time.
ec2_metadata_request() {
  curl --silent --show-error --fail --max-time 10 --retry 8 --retry-connrefused "$@"
}

ec2_metadata() {
  local token
  token="$(ec2_metadata_request --request PUT --header 'X-aws-ec2-metadata-token-ttl-seconds: 60' \
    http://169.254.169.254/latest/api/token)" || return 1
  ec2_metadata_request --header "X-aws-ec2-metadata-token: ${token}" "http://169.254.169.254/latest/meta-data/$1" || return 1
  echo
}

ec2_instance_id() {
  ec2_metadata instance-id
}

ec2_zone() {
  ec2_metadata placement/availability-zone
}

ec2_address() {
  ec2_metadata local-ipv4
}

# ec2_attach_volume SLOT: waits for the slot's volume, attaches it, prints its block device. A volume is attached to
# one machine at a time: this one waits until the old machine of the slot has released it.
ec2_attach_volume() {
  local device="/dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_${ETCD_VOLUME/-/}"
  if [ ! -e "${device}" ]; then
    ec2_check_volume "$1" || return 1
    attempt 60 10 ec2_try_attach "${device}" || {
      echo "ec2: attach ${ETCD_VOLUME}: another machine holds it, or it is gone; see aws ec2 describe-volumes" >&2
      return 1
    }
    attempt 60 1 test -e "${device}" || {
      echo "ec2: ${ETCD_VOLUME} is attached, but ${device} does not appear; does this machine have NVMe volumes?" >&2
      return 1
    }
  fi
  readlink -f "${device}"
}

# The volume that user data names has to be tagged for this cluster and slot.
ec2_check_volume() {
  local tags want="${NODE_CLUSTER} $1" tag="Tags[?Key=='kube-cfn"
  # Without jq, which may be installed at the same time.
  tags="$(aws ec2 describe-volumes --volume-ids "${ETCD_VOLUME}" \
    --query "Volumes[0].[${tag}/cluster'] | [0].Value, ${tag}/slot'] | [0].Value]" --output text)" || return 1
  tags="${tags//$'\t'/ }"
  [ "${tags}" = "${want}" ] || {
    echo "ec2: refuse ${ETCD_VOLUME}: its tags say '${tags}', not '${want}'; it is not this node's volume" >&2
    return 1
  }
}

ec2_try_attach() {
  [ -e "$1" ] || aws ec2 attach-volume --volume-id "${ETCD_VOLUME}" --instance-id "$(ec2_instance_id)" \
    --device /dev/sdf --output text > /dev/null
}

# ec2_prefetch_parameters NAME...: asks for up to ten at once, which takes no longer than asking for one. ec2_parameter
# hands each of them out once, and asks again the next time. Keeps them in the file that EC2_PREFETCHED names: in memory,
# for root alone. Says nothing when it fails: each is asked for by itself then, and that says why. Needs jq.
ec2_prefetch_parameters() {
  rm -f "${EC2_PREFETCHED}" "${EC2_PREFETCHED}.taken"
  (umask 077 && AWS_MAX_ATTEMPTS=2 aws ssm get-parameters --names "${@/#//kube-cfn/${NODE_CLUSTER}/}" --with-decryption \
    --query '{found: Parameters[].[Name, Value], missing: InvalidParameters}' --output json \
    > "${EC2_PREFETCHED}.new" 2> /dev/null) || {
    rm -f "${EC2_PREFETCHED}.new"
    return 1
  }
  ec2_track_value "$(jq -r '.found[][1]' "${EC2_PREFETCHED}.new")"
  mv -f "${EC2_PREFETCHED}.new" "${EC2_PREFETCHED}"
}

# ec2_prefetched NAME: the value that was asked for early; 4 when SSM has none, 1 when it has to be asked for.
ec2_prefetched() {
  local status=0
  [ -s "${EC2_PREFETCHED:-}" ] && ! grep -qsxF "$1" "${EC2_PREFETCHED}.taken" || return 1
  jq --exit-status --raw-output --arg name "/kube-cfn/${NODE_CLUSTER}/$1" 'if .missing | index($name) then empty
    else [.found[] | select(.[0] == $name)][0][1] // error("not asked for") end' "${EC2_PREFETCHED}" 2> /dev/null || status=$?
  # jq's exit code where a filter gives nothing is 4.
  case "${status}" in
    0 | 4) printf '%s\n' "$1" >> "${EC2_PREFETCHED}.taken" && return "${status}" ;;
  esac
  return 1
}

# ec2_parameter NAME: the decrypted value; 4 when there is none.
ec2_parameter() {
  local value status=0 said
  value="$(ec2_prefetched "$1")" || status=$?
  if [ "${status}" -ne 1 ]; then
    [ "${status}" -ne 0 ] || printf '%s\n' "${value}"
    return "${status}"
  fi
  status=0 said="$(mktemp)"
  value="$(aws ssm get-parameter --name "/kube-cfn/${NODE_CLUSTER}/$1" --with-decryption \
    --query Parameter.Value --output text 2> "${said}")" || status=$?
  if [ "${status}" -eq 0 ]; then
    ec2_track_value "${value}"
    printf '%s\n' "${value}"
  elif grep -q ParameterNotFound "${said}"; then
    status=4
  else
    cat "${said}" >&2
    status=1
  fi
  rm -f "${said}"
  return "${status}"
}

# ec2_put_parameter NAME: keeps standard input under the cluster's key, without the newlines at its end.
# The value is no argument: those can be read by every process. And it is no part of --cli-input-json:
# the CLI opens that file twice, and a pipe is empty the second time.
ec2_put_parameter() {
  local value
  value="$(cat)"
  ec2_track_value "${value}"
  printf %s "${value}" | aws ssm put-parameter --name "/kube-cfn/${NODE_CLUSTER}/$1" --value file:///dev/stdin \
    --type SecureString --key-id "alias/kube-cfn/${NODE_CLUSTER}" --overwrite --output text > /dev/null
}

# Notes a parameter's value in the file that EC2_VALUES names, as long as there is one: a log that leaves the machine must
# not contain it. What outlives its boot must not make the file again.
ec2_track_value() {
  [ ! -e "${EC2_VALUES:-}" ] || (umask 077 && printf '%s\n' "$1" >> "${EC2_VALUES}")
}

# ec2_fetch KEY FILE
ec2_fetch() {
  aws s3 cp --only-show-errors "s3://${STATE_BUCKET}/$1" "$2"
}

# ec2_store FILE KEY
ec2_store() {
  aws s3 cp --only-show-errors "$1" "s3://${STATE_BUCKET}/$2"
}

# ec2_list PREFIX: keys, one a line, oldest first.
ec2_list() {
  aws s3api list-objects-v2 --bucket "${STATE_BUCKET}" --prefix "$1" --output json \
    | jq -r '(.Contents // []) | sort_by(.LastModified)[].Key'
}

# ec2_store_own FILE KEY: below boot/ in the part that this machine alone may write, and not read or delete.
# Gives up after two minutes, so that the boot can continue.
ec2_store_own() {
  local own
  # ID of the role and of the instance, as ${aws:userid} of the policy has it.
  own="$(AWS_MAX_ATTEMPTS=2 timeout 60 aws sts get-caller-identity --query UserId --output text)" || return 1
  AWS_MAX_ATTEMPTS=2 timeout 60 aws s3 cp --only-show-errors "$1" "s3://${STATE_BUCKET}/boot/${own}/$2"
}

# ec2_remove KEY
ec2_remove() {
  aws s3api delete-object --bucket "${STATE_BUCKET}" --key "$1" --output text > /dev/null
}

# ec2_secret ARN: the JSON text of a secret.
ec2_secret() {
  aws secretsmanager get-secret-value --secret-id "$1" --query SecretString --output text
}

# The cluster's databases as a JSON list of address, port, name, masterSecretArn, status.
ec2_databases() {
  aws rds describe-db-instances --output json | jq --arg cluster "${NODE_CLUSTER}" '[.DBInstances[]
    | select(any(.TagList[]?; .Key == "kube-cfn/cluster" and .Value == $cluster))
    | {address: .Endpoint.Address, port: .Endpoint.Port, name: .DBName,
       masterSecretArn: .MasterUserSecret.SecretArn, status: .DBInstanceStatus}]'
}

# ec2_group_instances: the machines in the Auto Scaling groups of the cluster, one a line: instance, stack (control-plane,
# pool-NAME), state in the group (Pending, InService, Terminating:Wait, ...). Nobody but CloudFormation can set the tag
# with the name of the stack.
ec2_group_instances() {
  aws autoscaling describe-auto-scaling-groups --filters "Name=tag:kube-cfn/cluster,Values=${NODE_CLUSTER}" --output json \
    | jq -r --arg cluster "${NODE_CLUSTER}" '.AutoScalingGroups[] | (.Tags | map({(.Key): .Value}) | add // {}) as $tags
      | $tags["kube-cfn/stack"] as $stack
      | select($tags["kube-cfn/cluster"] == $cluster and $tags["aws:cloudformation:stack-name"] == "\($cluster)-\($stack)")
      | .Instances[] | "\(.InstanceId) \($stack) \(.LifecycleState)"'
}

# ec2_launch_times: when each running machine of the cluster was launched, one a line: instance, seconds since 1970. One
# call for all of them.
ec2_launch_times() {
  aws ec2 describe-instances --filters "Name=tag:kube-cfn/cluster,Values=${NODE_CLUSTER}" \
    'Name=instance-state-name,Values=pending,running' \
    --query 'Reservations[].Instances[].{id: InstanceId, time: LaunchTime}' --output json \
    | jq -r '.[] | "\(.id) \(.time | .[0:19] + "Z" | fromdate)"'
}

# ec2_signal SUCCESS|FAILURE REASON: CloudFormation waits for it only while it makes the group, and takes no
# reason of a resource's signal (SignalResource has no field for one). For the signals that carry a reason it
# takes 4096 bytes in all; the end of a longer one says what to do next, so the end stays.
ec2_signal() {
  local code=0
  [ "$1" = SUCCESS ] || code=1
  /opt/aws/bin/cfn-signal --exit-code "${code}" --reason "$(ec2_last_bytes 1024 "$2")" --stack "${STACK}" --resource "${SIGNAL}" \
    --region "${NODE_REGION}" || echo 'ec2: the signal was not taken; that matters only while the stack is made'
}

# ec2_last_bytes COUNT TEXT: on one line, and never with a part of a character.
ec2_last_bytes() {
  local LC_ALL=C text="${2//[[:cntrl:]]/ }"
  if [ "${#text}" -gt "$1" ]; then
    text="${text: -$(($1 - 3))}"
    while [[ ${text} == [$'\x80'-$'\xbf']* ]]; do text="${text:1}"; done
    text="...${text}"
  fi
  printf '%s\n' "${text}"
}
