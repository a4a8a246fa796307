//! Runs as events, second by second, and their clock.

use jiff::{SignedDuration, Timestamp};
use kube_cfn::cloud::{ResourceStatus, StackStatus};
use kube_cfn::events::{Event, Expected, Failure, Outcome, Place, Span, SweepPart, Verb};
use kube_cfn::stacks::StackKind::{self, Base, ControlPlane, Database, Edge, Network};

/// Seconds after the start of every run.
pub fn at(second: i64) -> Timestamp {
    let start: Timestamp = "2026-11-23T10:00:00Z".parse().expect("a time");
    start + SignedDuration::from_secs(second)
}

pub fn pool(name: &str) -> StackKind {
    StackKind::Pool(name.to_owned())
}

/// A run under construction.
pub struct Run {
    pub events: Vec<Event>,
}

impl Run {
    pub fn start(verb: Verb, stacks: Vec<Expected>) -> Self {
        let events = vec![Event::RunStarted {
            at: at(0),
            run: "7f3a".to_owned(),
            cluster: "canary".to_owned(),
            verb,
            stacks,
        }];
        Self { events }
    }

    pub fn stack(mut self, second: i64, stack: StackKind, operation: Verb) -> Self {
        self.events.push(Event::StackStarted {
            at: at(second),
            stack,
            operation,
        });
        self
    }

    /// A resource as `LogicalId AWS::Type sentence`.
    pub fn resource(self, second: i64, stack: StackKind, what: &str, status: &str) -> Self {
        self.because(second, stack, what, status, None)
    }

    pub fn because(
        mut self,
        second: i64,
        stack: StackKind,
        what: &str,
        status: &str,
        reason: Option<&str>,
    ) -> Self {
        let mut words = what.splitn(3, ' ');
        let mut word = || words.next().expect("id, type, sentence").to_owned();
        self.events.push(Event::Resource {
            at: at(second),
            stack,
            logical_id: word(),
            resource_type: word(),
            sentence: word(),
            status: ResourceStatus::new(status),
            reason: reason.map(str::to_owned),
        });
        self
    }

    /// `number` small resources, all done.
    pub fn small(mut self, second: i64, stack: &StackKind, number: usize) -> Self {
        for index in 0..number {
            let what = format!("Rule{index} AWS::EC2::Route Route {index}");
            self = self
                .resource(second, stack.clone(), &what, "CREATE_IN_PROGRESS")
                .resource(second + 2, stack.clone(), &what, "CREATE_COMPLETE");
        }
        self
    }

    pub fn failed(mut self, second: i64, stack: StackKind, failure: Failure) -> Self {
        self.events.push(Event::Failed {
            at: at(second),
            stack,
            failure,
        });
        self
    }

    pub fn settled(mut self, second: i64, stack: StackKind, outcome: Outcome) -> Self {
        self.events.push(Event::StackSettled {
            at: at(second),
            stack,
            outcome,
        });
        self
    }

    pub fn note(mut self, second: i64, stack: Option<StackKind>, text: &str) -> Self {
        self.events.push(Event::Note {
            at: at(second),
            stack,
            text: text.to_owned(),
        });
        self
    }

    /// How far the removal outside the stacks is that began at `since`.
    pub fn sweep(mut self, second: i64, since: i64, parts: Vec<SweepPart>) -> Self {
        self.events.push(Event::Sweep {
            at: at(second),
            since: at(since),
            parts,
        });
        self
    }

    pub fn finished(mut self, second: i64, succeeded: bool) -> Self {
        self.events.push(Event::RunFinished {
            at: at(second),
            succeeded,
        });
        self
    }
}

pub fn part(name: &str, done: usize, wanted: usize, state: &str) -> SweepPart {
    SweepPart {
        name: name.to_owned(),
        done,
        wanted,
        state: state.to_owned(),
    }
}

pub fn expected(
    stack: StackKind,
    operation: Option<Verb>,
    resources: usize,
    needs: &[StackKind],
) -> Expected {
    Expected {
        stack,
        operation,
        resources,
        needs: needs.to_vec(),
        span: None,
    }
}

pub const NAT: &str = "NatGatewayA AWS::EC2::NatGateway NAT gateway in eu-west-1a";
pub const BALANCER: &str =
    "ApiBalancer AWS::ElasticLoadBalancingV2::LoadBalancer Load balancer of the API";
pub const DATABASE: &str = "Database AWS::RDS::DBInstance Postgres 17 on db.t4g.medium";
pub const KEY: &str = "Key AWS::KMS::Key Key that encrypts everything of the cluster";
pub const VPC: &str = "Vpc AWS::EC2::VPC Network of the cluster, 10.20.0.0/16";
pub const QUOTA: &str = "Resource handler returned message: \"The maximum number of addresses has \
    been reached. (Service: Ec2, Status Code: 400, Request ID: 5f0c1f5e-8a55-4a1e-9d0e-1f2a3b4c5d6e)\" \
    (RequestToken: 0f1e2d3c-aaaa-bbbb-cccc-1234567890ab, HandlerErrorCode: ServiceLimitExceeded)";

pub fn six(verb: Verb) -> Vec<Expected> {
    let create = Some(verb);
    let needs = [Base, Edge];
    vec![
        (expected(Base, create, 14, &[]), 142, 165),
        (expected(Network, create, 21, &[]), 55, 80),
        (expected(Edge, create, 9, &[Network]), 170, 235),
        (expected(Database, create, 4, &[Network]), 613, 810),
        (expected(ControlPlane, create, 8, &needs), 40, 70),
        (expected(pool("workers"), create, 3, &needs), 35, 60),
    ]
    .into_iter()
    .map(|(known, from, to)| Expected {
        span: Some(Span { from, to }),
        ..known
    })
    .collect()
}

/// Everything is created; at 4m20s the database has a long way to go.
pub fn halfway() -> Run {
    Run::start(Verb::Create, six(Verb::Create))
        .note(0, None, "AMI ids resolved into clusters/canary.lock.yaml")
        .stack(1, Base, Verb::Create)
        .stack(1, Network, Verb::Create)
        .resource(4, Network, VPC, "CREATE_IN_PROGRESS")
        .resource(5, Base, KEY, "CREATE_IN_PROGRESS")
        .resource(16, Network, VPC, "CREATE_COMPLETE")
        .small(20, &Network, 20)
        .settled(52, Network, Outcome::Created)
        .stack(53, Edge, Verb::Create)
        .stack(53, Database, Verb::Create)
        .small(56, &Database, 3)
        .resource(60, Edge, NAT, "CREATE_IN_PROGRESS")
        .resource(61, Edge, BALANCER, "CREATE_IN_PROGRESS")
        .resource(66, Database, DATABASE, "CREATE_IN_PROGRESS")
        .small(70, &Base, 13)
        .resource(127, Base, KEY, "CREATE_COMPLETE")
        .settled(131, Base, Outcome::Created)
        .resource(166, Edge, NAT, "CREATE_COMPLETE")
        .small(170, &Edge, 6)
}

pub fn whole() -> Run {
    halfway()
        .resource(270, Edge, BALANCER, "CREATE_COMPLETE")
        .settled(280, Edge, Outcome::Created)
        .stack(281, ControlPlane, Verb::Create)
        .stack(281, pool("workers"), Verb::Create)
        .note(282, Some(ControlPlane), "boot bundle uploaded, 41 kB")
        .small(285, &ControlPlane, 8)
        .small(285, &pool("workers"), 3)
        .settled(320, ControlPlane, Outcome::Created)
        .settled(322, pool("workers"), Outcome::Created)
        .resource(640, Database, DATABASE, "CREATE_COMPLETE")
        .settled(650, Database, Outcome::Created)
        .finished(651, true)
}

/// The address quota is used up: the edge goes back, the database goes on.
pub fn failing() -> Run {
    halfway()
        .because(200, Edge, "NatGatewayB AWS::EC2::NatGateway NAT gateway in eu-west-1b",
            "CREATE_IN_PROGRESS", None)
        .because(262, Edge, "NatGatewayB AWS::EC2::NatGateway NAT gateway in eu-west-1b",
            "CREATE_FAILED", Some(QUOTA))
        .because(262, Edge, BALANCER, "CREATE_FAILED", Some("Resource creation cancelled"))
        .failed(263, Edge, verdict(None))
        .because(264, Edge, "canary-edge AWS::CloudFormation::Stack canary-edge",
            "ROLLBACK_IN_PROGRESS", Some("The following resource(s) failed to create: [NatGatewayB, ApiBalancer]. Rollback requested by user."))
        .resource(268, Edge, NAT, "DELETE_IN_PROGRESS")
}

/// What is known of the failure in [`failing`].
pub fn verdict(status: Option<StackStatus>) -> Failure {
    Failure {
        status,
        resource: Some("NAT gateway in eu-west-1b".to_owned()),
        logical_id: Some("NatGatewayB".to_owned()),
        resource_type: Some("AWS::EC2::NatGateway".to_owned()),
        place: Some(Place {
            template: "edge.yaml:41".to_owned(),
            field: Some("network.nat (clusters/canary.yaml:17)".to_owned()),
        }),
        hint: Some("raise quota L-0263D0A3 (Elastic IPs), or release unused addresses".to_owned()),
        cancelled: vec!["Load balancer of the API".to_owned()],
        ..Failure::of_stack(None, QUOTA)
    }
}

pub fn failed() -> Run {
    failing()
        .resource(330, Edge, NAT, "DELETE_COMPLETE")
        .settled(
            335,
            Edge,
            Outcome::RolledBack(verdict(Some(StackStatus::RollbackComplete))),
        )
        .settled(336, ControlPlane, Outcome::NotStarted { needs: Edge })
        .settled(336, pool("workers"), Outcome::NotStarted { needs: Edge })
        .resource(640, Database, DATABASE, "CREATE_COMPLETE")
        .settled(650, Database, Outcome::Created)
        .finished(650, false)
}

/// Seven pools beside the rest: twelve stacks, every state among them.
pub fn twelve() -> Run {
    let mut stacks = six(Verb::Create);
    let names = [
        "batch",
        "gpu",
        "ingress",
        "memory-optimised",
        "spot-a",
        "spot-b",
    ];
    stacks.extend(names.map(|name| expected(pool(name), Some(Verb::Create), 3, &[Base, Edge])));
    let mut run = failing();
    run.events[0] = Run::start(Verb::Create, stacks).events.remove(0);
    run
}

/// The control plane's launch template moves; the database grows; one pool stays as it is.
pub fn update() -> Run {
    let update = Some(Verb::Update);
    let stacks = vec![
        expected(Base, None, 0, &[]),
        expected(Network, None, 0, &[]),
        expected(Edge, update, 1, &[]),
        expected(Database, update, 1, &[]),
        expected(ControlPlane, update, 3, &[Edge]),
        expected(pool("workers"), None, 0, &[]),
        expected(pool("spot"), Some(Verb::Create), 3, &[Edge]),
    ];
    let template = "Template AWS::EC2::LaunchTemplate Launch template of control-plane node b";
    Run::start(Verb::Update, stacks)
        .stack(1, Edge, Verb::Update)
        .stack(1, Database, Verb::Update)
        .resource(
            4,
            Edge,
            "Old AWS::EC2::SecurityGroup Who may reach the API",
            "UPDATE_IN_PROGRESS",
        )
        .resource(6, Database, DATABASE, "UPDATE_IN_PROGRESS")
        .resource(
            12,
            Edge,
            "Old AWS::EC2::SecurityGroup Who may reach the API",
            "UPDATE_COMPLETE",
        )
        .settled(14, Edge, Outcome::Updated)
        .stack(15, ControlPlane, Verb::Update)
        .stack(15, pool("spot"), Verb::Create)
        .resource(20, ControlPlane, template, "UPDATE_IN_PROGRESS")
        .resource(27, ControlPlane, template, "UPDATE_COMPLETE")
        .resource(
            30,
            ControlPlane,
            "Volume AWS::EC2::Volume etcd volume of control-plane node b",
            "DELETE_IN_PROGRESS",
        )
}

pub fn nothing() -> Run {
    let mut run = Run::start(
        Verb::Update,
        six(Verb::Update)
            .into_iter()
            .map(|known| expected(known.stack, None, 0, &[]))
            .collect(),
    );
    for known in six(Verb::Update) {
        run = run.settled(3, known.stack, Outcome::Unchanged);
    }
    run.finished(3, true)
}

pub fn deleting() -> Run {
    let delete = Some(Verb::Delete);
    let stacks = vec![
        expected(pool("workers"), delete, 3, &[]),
        expected(ControlPlane, delete, 8, &[]),
        expected(Database, delete, 4, &[]),
        expected(Edge, delete, 9, &[ControlPlane, pool("workers")]),
        expected(Network, delete, 21, &[Edge, Database]),
        expected(Base, delete, 14, &[ControlPlane, pool("workers")]),
    ];
    Run::start(Verb::Delete, stacks)
        .stack(1, pool("workers"), Verb::Delete)
        .stack(1, ControlPlane, Verb::Delete)
        .stack(1, Database, Verb::Delete)
        .resource(3, Database, DATABASE, "DELETE_IN_PROGRESS")
        .note(4, Some(Database), "final snapshot canary-database-final")
        .settled(40, pool("workers"), Outcome::Deleted)
        .settled(45, ControlPlane, Outcome::Deleted)
        .stack(46, Edge, Verb::Delete)
        .stack(46, Base, Verb::Delete)
        .resource(50, Edge, NAT, "DELETE_IN_PROGRESS")
        .resource(
            50,
            Base,
            "Bucket AWS::S3::Bucket State bucket",
            "DELETE_SKIPPED",
        )
}

/// A reason as long as some are, and a status that nobody knows yet.
pub fn strange() -> Run {
    let reason = format!(
        "Access denied to arn:aws:iam::123456789012:role/{} because no identity-based policy allows \
         the iam:PassRole action on it.\n{}",
        "canary-control-plane-".repeat(6),
        "Encoded authorization failure message: AbCdEfGh0123456789 ".repeat(12)
    );
    Run::start(Verb::Create, six(Verb::Create))
        .stack(1, Base, Verb::Create)
        .stack(1, Network, Verb::Create)
        .resource(2, Network, VPC, "CREATE_HYPERDRIVE_ENGAGED")
        .because(
            9,
            Base,
            "Role AWS::IAM::Role Role of the control plane",
            "CREATE_FAILED",
            Some(&reason),
        )
}
