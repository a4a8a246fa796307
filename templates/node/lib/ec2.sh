# shellcheck shell=bash
# The only door of a node to EC2 and the rest of AWS. A trial on other machines replaces this file.
# Needs NODE_CLUSTER, NODE_REGION and, for volume, bucket and signal, host.env; to attach, common.sh.

export AWS_REGION="${NODE_REGION}" AWS_RETRY_MODE=standard AWS_MAX_ATTEMPTS=8 AWS_PAGER=''

ec2_metadata() {
  local token
  token="$(curl --silent --show-error --fail --retry 8 --retry-connrefused --request PUT \
    --header 'X-aws-ec2-metadata-token-ttl-seconds: 60' http://169.254.169.254/latest/api/token)"
  curl --silent --show-error --fail --retry 8 --header "X-aws-ec2-metadata-token: ${token}" \
    "http://169.254.169.254/latest/meta-data/$1"
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

# ec2_attach_volume SLOT: waits for the slot's volume, attaches it, prints its block device. A volume
# hangs at one machine at a time: as long as the slot's old machine has it, this one waits.
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
  local tags want="${NODE_CLUSTER} $1"
  tags="$(aws ec2 describe-volumes --volume-ids "${ETCD_VOLUME}" --output json \
    | jq -r '.Volumes[0].Tags | map({(.Key): .Value}) | add | "\(.["kube-cfn/cluster"]) \(.["kube-cfn/slot"])"')" || return 1
  [ "${tags}" = "${want}" ] || {
    echo "ec2: refuse ${ETCD_VOLUME}: its tags say '${tags}', not '${want}'; it belongs to somebody else" >&2
    return 1
  }
}

ec2_try_attach() {
  [ -e "$1" ] || aws ec2 attach-volume --volume-id "${ETCD_VOLUME}" --instance-id "$(ec2_instance_id)" \
    --device /dev/sdf --output text > /dev/null
}

# ec2_parameter NAME: the decrypted value; 4 when there is none.
ec2_parameter() {
  local value status=0 said
  said="$(mktemp)"
  value="$(aws ssm get-parameter --name "/kube-cfn/${NODE_CLUSTER}/$1" --with-decryption \
    --query Parameter.Value --output text 2> "${said}")" || status=$?
  if [ "${status}" -eq 0 ]; then
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

# ec2_put_parameter NAME: keeps standard input under the cluster's key. The value is no argument: those
# can be read by every process.
ec2_put_parameter() {
  jq --raw-input --slurp --arg name "/kube-cfn/${NODE_CLUSTER}/$1" --arg key "alias/kube-cfn/${NODE_CLUSTER}" \
    '{Name: $name, Value: rtrimstr("\n"), Type: "SecureString", KeyId: $key, Overwrite: true}' \
    | aws ssm put-parameter --cli-input-json file:///dev/stdin --output text > /dev/null
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

# ec2_signal SUCCESS|FAILURE REASON: CloudFormation waits for it only while it makes the group.
ec2_signal() {
  local code=0
  [ "$1" = SUCCESS ] || code=1
  /opt/aws/bin/cfn-signal --exit-code "${code}" --reason "$2" --stack "${STACK}" --resource "${SIGNAL}" \
    --region "${NODE_REGION}" || echo 'ec2: the signal was not taken; that matters only while the stack is made'
}
