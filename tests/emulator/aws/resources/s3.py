"""S3 buckets: one that holds anything is not deleted."""

from ministack.core.responses import get_region
from ministack.services import s3

from ..handlers import TABLE, attributes, before_delete
from ..words import refused


def install():
    before_delete("AWS::S3::Bucket", _is_empty)
    attributes("AWS::S3::Bucket", lambda bucket, *_: {
        "DualStackDomainName": f"{bucket}.s3.dualstack.{get_region()}.amazonaws.com"})
    # Ref of a bucket policy is the bucket.
    stock = TABLE["AWS::S3::BucketPolicy"]["create"]
    TABLE["AWS::S3::BucketPolicy"]["create"] = lambda logical_id, properties, stack: (
        properties["Bucket"], stock(logical_id, properties, stack)[1])


def _is_empty(bucket):
    versions = any(key[0] == bucket and kept for key, kept in s3._object_versions.items())
    if versions or s3._buckets.get(bucket, {}).get("objects"):
        raise refused("S3", "The bucket you tried to delete is not empty. You must delete all versions in the bucket.",
                      "GeneralServiceException", 409)
