"""What is too long or too much for one call is refused, in AWS's words."""

import unittest

from support import EC2, SESSION, SSM, Case

ELB, TAGGING, SCALING, S3 = (SESSION.create_client(name) for name in ("elbv2", "resourcegroupstaggingapi", "autoscaling", "s3"))
CLASSIC = SESSION.create_client("elb")


class Limits(Case):
    def test_parameters_are_asked_for_ten_at_a_time(self):
        names = [f"/limits/{number}" for number in range(11)]
        said = "at 'names' failed to satisfy constraint: Member must have length less than or equal to 10"
        for call in (SSM.get_parameters, SSM.delete_parameters):
            self.refused("ValidationException", said, call, Names=names)
            call(Names=names[1:])
        self.refused("ValidationException", "Value '11' at 'maxResults'", SSM.get_parameters_by_path, Path="/limits", MaxResults=11)
        SSM.get_parameters_by_path(Path="/limits", MaxResults=10)

    def test_commands_go_to_fifty_machines(self):
        ids = [f"i-{number:017x}" for number in range(51)]
        self.refused("ValidationException", "less than or equal to 50", SSM.send_command, DocumentName="AWS-RunShellScript", InstanceIds=ids,
                     Parameters={"commands": ["true"]})

    def test_filters_have_two_hundred_values(self):
        def filters(*counts):
            return [{"Name": "subnet-id", "Values": [f"subnet-{number:08x}" for number in range(count)]} for count in counts]

        for call in (EC2.describe_instances, EC2.describe_network_interfaces):
            self.refused("FilterLimitExceeded", "a single call is 200", call, Filters=filters(150, 51))
            call(Filters=filters(150, 50))

    def test_tags_are_asked_for_of_few(self):
        balancers = [f"arn:aws:elasticloadbalancing:eu-west-1:1:loadbalancer/net/a/{n}" for n in range(21)]
        self.refused("ValidationError", "more than 20", ELB.describe_tags, ResourceArns=balancers)
        self.refused("ValidationError", "less than or equal to 20", CLASSIC.describe_tags, LoadBalancerNames=[f"a-{n}" for n in range(21)])
        arns = [f"arn:aws:ec2:eu-west-1:111122223333:volume/vol-{n:017x}" for n in range(101)]
        self.refused("ValidationException", "less than or equal to 100", TAGGING.get_resources, ResourceARNList=arns)
        TAGGING.get_resources(ResourceARNList=arns[1:])
        self.refused("ValidationException", "less than or equal to 20", TAGGING.tag_resources, ResourceARNList=arns[:21], Tags={"a": "b"})

    def test_fifty_instances_of_groups_are_described(self):
        self.refused("ValidationError", "less than or equal to 50", SCALING.describe_auto_scaling_instances, InstanceIds=[f"i-{n:017x}" for n in range(51)])

    def test_a_thousand_objects_are_deleted(self):
        S3.create_bucket(Bucket="limits", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
        self.addCleanup(S3.delete_bucket, Bucket="limits")
        keys = [{"Key": f"{n}"} for n in range(1001)]
        self.refused("MalformedXML", "did not validate", S3.delete_objects, Bucket="limits", Delete={"Objects": keys})
        S3.delete_objects(Bucket="limits", Delete={"Objects": keys[1:]})


if __name__ == "__main__":
    unittest.main()
