"""Resource types that ministack lacks, fakes or answers differently from AWS, one module a service."""

from . import autoscaling, autoscaling_processes, ec2_addresses, ec2_interfaces, ec2_launch, ec2_network, ec2_volumes
from . import iam, load_balancing, rds, s3, secrets_manager


def install(servers):
    """Adds all of them to ministack; `servers` are the PostgreSQL servers behind databases."""
    for module in (ec2_network, ec2_addresses, ec2_interfaces, ec2_volumes, ec2_launch, autoscaling,
                   autoscaling_processes, iam, load_balancing, s3, secrets_manager):
        module.install()
    rds.install(servers)


# What takes a snapshot `(physical_id, name)` where a deletion policy asks for one.
SNAPSHOTS = {"AWS::EC2::Volume": ec2_volumes.snapshot, "AWS::RDS::DBInstance": rds.snapshot}
