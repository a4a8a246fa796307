"""Machines that do not boot for the cause that a rule names."""

import unittest

from support import EC2, SESSION, Case, create, group, network, statuses


class Boots(Case):
    def failed(self, cause):
        self.rules({"type": "AWS::AutoScaling::AutoScalingGroup", "op": "create", "boot": cause})
        bucket = f"boots-{cause}"
        SESSION.create_client("s3").create_bucket(
            Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
        template = network(Pool=group(1))
        template.setdefault("Parameters", {})["StateBucket"] = {"Type": "String"}
        stack_id, stack = create(template, values={"StateBucket": bucket})
        self.assertEqual("ROLLBACK_COMPLETE", stack["StackStatus"])
        return bucket, statuses(stack_id, "Pool")

    def test_a_failed_boot_is_on_the_console_and_in_the_bucket(self):
        bucket, events = self.failed("image-pull")
        reasons = [reason for _, reason in events]
        signal = next(one for one in reasons if one.startswith("Received FAILURE signal with UniqueId "))
        instance = signal.split(" ")[-1]
        self.assertTrue(any(one.startswith("Received 1 FAILURE signal(s) out of 1.") for one in reasons), reasons)
        said = EC2.get_console_output(InstanceId=instance)["Output"]
        self.assertIn("kube-cfn boot failed: image-pull: ", said)
        self.assertNotIn("{", said, "a mark has no name")
        s3 = SESSION.create_client("s3")
        key = s3.list_objects_v2(Bucket=bucket)["Contents"][0]["Key"]
        self.assertTrue(key.startswith(f"boot/AROAEMULATED:{instance}/"), key)
        stored = s3.get_object(Bucket=bucket, Key=key)["Body"].read().decode()
        last = stored.splitlines()[-1]
        self.assertTrue(last.startswith("kube-cfn boot failed: image-pull: ") and last in said, stored)

    def test_a_machine_without_credentials_signals_and_stores_nothing(self):
        bucket, events = self.failed("instance-profile")
        self.assertTrue(any(reason.startswith("Received 1 FAILURE signal(s) out of 1.") for _, reason in events), events)
        self.assertNotIn("Contents", SESSION.create_client("s3").list_objects_v2(Bucket=bucket))

    def test_three_long_attempts_end_at_the_timeout_with_the_log_of_the_first(self):
        bucket, events = self.failed("api")
        reasons = [reason for _, reason in events]
        self.assertTrue(any(one.startswith("Received 0 SUCCESS signal(s) out of 1.") for one in reasons), reasons)
        s3 = SESSION.create_client("s3")
        [log] = s3.list_objects_v2(Bucket=bucket)["Contents"]
        stored = s3.get_object(Bucket=bucket, Key=log["Key"])["Body"].read().decode()
        self.assertIn(", attempt 1\n", stored)


if __name__ == "__main__":
    unittest.main()
