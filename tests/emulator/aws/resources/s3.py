"""S3 buckets: one that holds anything is not deleted, and each has the tags of its stack."""

from ministack.core.responses import get_region
from ministack.services import s3
from ministack.services.cloudformation import provisioners

from ..handlers import TABLE, attributes, before_delete
from ..words import refused


def install():
    before_delete("AWS::S3::Bucket", _is_empty)
    provisioners._STACK_TAG_PROPERTY["AWS::S3::Bucket"] = ("Tags", "list")
    attributes("AWS::S3::Bucket", _tag)
    attributes("AWS::S3::Bucket", lambda bucket, *_: {
        "DualStackDomainName": f"{bucket}.s3.dualstack.{get_region()}.amazonaws.com"})
    # Ref of a bucket policy is the bucket.
    policy = TABLE["AWS::S3::BucketPolicy"]
    create, update, delete = policy["create"], policy["update"], policy["delete"]
    policy["create"] = lambda logical_id, new, stack: (new["Bucket"], create(logical_id, new, stack)[1])
    policy["update"] = lambda bucket, old, new, stack: (bucket, update(f"{bucket}-policy", old, new, stack)[1])
    policy["delete"] = lambda bucket, properties: delete(f"{bucket}-policy", properties)


def _tag(bucket, properties, _known):
    s3._bucket_tags[bucket] = {tag["Key"]: tag["Value"] for tag in properties.get("Tags") or []}
    return {}


def _is_empty(bucket):
    versions = any(key[0] == bucket and kept for key, kept in s3._object_versions.items())
    if versions or s3._buckets.get(bucket, {}).get("objects"):
        raise refused("S3", "The bucket you tried to delete is not empty. You must delete all versions in the bucket.",
                      "GeneralServiceException", 409)
