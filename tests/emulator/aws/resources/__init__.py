"""Resource types that ministack lacks, fakes or answers differently from AWS, one module a service."""

from . import autoscaling, autoscaling_describing, autoscaling_detached, autoscaling_ending, autoscaling_processes
from . import ec2_addresses, ec2_attached, ec2_dependencies, ec2_describing, ec2_endpoints, ec2_gateways, ec2_instance_locks
from . import ec2_instances, ec2_interface_calls, ec2_interfaces, ec2_launch, ec2_network, ec2_rules, ec2_volumes, iam
from . import load_balancing, load_balancing_calls, load_balancing_classic, load_balancing_targets
from . import rds, rds_backups, rds_instances, s3, secrets_manager


def install(servers):
    """Adds all of them to ministack; `servers` are the PostgreSQL servers behind databases."""
    for module in (ec2_network, ec2_addresses, ec2_interfaces, ec2_interface_calls, ec2_attached, ec2_endpoints,
                   ec2_instances, ec2_instance_locks, ec2_volumes, ec2_rules, ec2_dependencies, ec2_describing, ec2_gateways,
                   ec2_launch, autoscaling,
                   autoscaling_processes, autoscaling_describing, autoscaling_detached, autoscaling_ending, iam, load_balancing, load_balancing_calls,
                   load_balancing_classic, load_balancing_targets, s3, secrets_manager):
        module.install()
    rds.install(servers)
    rds_backups.install()
    rds_instances.install()


# What takes a snapshot `(physical_id, name)` where a deletion policy asks for one.
SNAPSHOTS = {"AWS::EC2::Volume": ec2_volumes.snapshot, "AWS::RDS::DBInstance": rds.snapshot}
