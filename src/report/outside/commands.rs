//! Commands of the AWS CLI for what lies outside the stacks: how to see it, delete it, save it, use it again.

mod table;

use super::names::record_parts;
use crate::cloud::outside::{OutsideKind, OutsideResource};
use crate::sweep::Found;
use table::{CALL_BACK, EGRESS_ONLY, Step, said};

/// What to do about a resource: a sentence, and a command below it.
pub(in crate::report) type Advice = (&'static str, String);

/// How a resource is deleted. What AWS made for another one goes with that one.
pub(super) fn delete(resource: &OutsideResource, region: &str) -> Vec<Advice> {
    if resource.by_aws {
        return see_interface(BY_AWS, resource, region);
    }
    if is_attached(resource) {
        return see_interface(ATTACHED, resource, region);
    }
    let id = resource.id.as_str();
    let first: Vec<Advice> = match resource.kind {
        OutsideKind::DnsRecord => return record(id, region),
        OutsideKind::SecurityGroup => vec![
            (
                "see which interfaces use it",
                format!(
                    "aws ec2 describe-network-interfaces --region {region} --filters Name=group-id,Values={id} \
                     --query 'NetworkInterfaces[].[NetworkInterfaceId,Description]' --output text"
                ),
            ),
            (
                "see which rules of other groups name it",
                format!(
                    "aws ec2 describe-security-groups --region {region} \
                     --filters Name=ip-permission.group-id,Values={id} --query 'SecurityGroups[].GroupId' \
                     --output text"
                ),
            ),
        ],
        OutsideKind::GroupRule if resource.body.is_empty() => vec![(
            "see which group has it",
            format!(
                "aws ec2 describe-security-group-rules --region {region} --security-group-rule-ids {id}"
            ),
        )],
        OutsideKind::Bucket => vec![(
            "see what is in it; a bucket has to be empty",
            format!("aws s3api list-object-versions --region {region} --bucket {id} --max-keys 20"),
        )],
        _ => Vec::new(),
    };
    first.into_iter().chain(steps(resource, region)).collect()
}

/// A command about a resource.
fn filled(command: &str, resource: &OutsideResource, region: &str) -> String {
    let id = &resource.id;
    let words = command.split(' ').map(|word| match word {
        "REGION" => region.to_owned(),
        "ID" => id.clone(),
        "ID-final" => format!("{id}-final"),
        "VPC" => resource.vpc.clone().unwrap_or_else(|| "VPC_ID".to_owned()),
        "GROUP" if resource.body.is_empty() => "GROUP_ID".to_owned(),
        "GROUP" => resource.body.clone(),
        word => word.to_owned(),
    });
    words.collect::<Vec<_>>().join(" ")
}

/// How one is deleted, one command after another.
pub(in crate::report) fn steps(resource: &OutsideResource, region: &str) -> Vec<Advice> {
    let kind = resource.kind;
    let is_egress_only = kind == OutsideKind::InternetGateway && resource.id.starts_with("eigw-");
    let all = if is_egress_only {
        &[EGRESS_ONLY][..]
    } else {
        said(kind).delete
    };
    // A gateway that is attached to nothing needs no detaching.
    let is_needed = |(_, command): &&Step| resource.vpc.is_some() || !command.ends_with(" VPC");
    let all = all.iter().filter(is_needed);
    all.map(|(words, command)| {
        let command = filled(command, resource, region);
        // A rule is deleted by its direction, which is its state.
        let is_egress =
            kind == OutsideKind::GroupRule && resource.state.as_deref() == Some("egress");
        let command = if is_egress {
            command.replacen("-ingress", "-egress", 1)
        } else {
            command
        };
        (*words, command)
    })
    .collect()
}

/// How a database's protection is switched off, which is the first step of its deletion.
pub(super) fn unprotect_database(id: &str, region: &str) -> Option<Advice> {
    let database = OutsideResource::new(OutsideKind::Database, id);
    steps(&database, region).into_iter().next()
}

/// How a key is called back that waits for its deletion.
pub(super) fn call_back(key: &OutsideResource, region: &str) -> Vec<Advice> {
    let all = CALL_BACK.iter();
    all.map(|(words, command)| (*words, filled(command, key, region)))
        .collect()
}

/// The commands that delete these, and nothing else, in the order in which AWS takes them: nothing is deleted before what
/// uses it. What goes with another resource is not among them.
pub(super) fn delete_all(all: &[&Found], region: &str) -> Vec<(OutsideKind, Vec<String>)> {
    let goes_alone = |found: &&&Found| !goes_along(&found.resource);
    let mut direct: Vec<&&Found> = all.iter().filter(goes_alone).collect();
    direct.sort_by_key(|found| (found.row().place(), found.resource.kind));
    let mut commands: Vec<(OutsideKind, Vec<String>)> = Vec::new();
    for found in direct {
        let kind = found.resource.kind;
        let of_one = steps(&found.resource, region).into_iter();
        let of_one = of_one.map(|(_, command)| command);
        match commands.last_mut() {
            Some((last, of_kind)) if *last == kind => of_kind.extend(of_one),
            Some(_) | None => commands.push((kind, of_one.collect())),
        }
    }
    commands
}

/// Whether it goes with another resource: AWS made it for that, or it is attached to it.
pub(super) fn goes_along(resource: &OutsideResource) -> bool {
    resource.by_aws || is_attached(resource)
}

/// Whether it is an interface that is in use: it goes with what it is attached to, or has to be detached.
fn is_attached(resource: &OutsideResource) -> bool {
    resource.kind == OutsideKind::Interface && resource.state.as_deref() == Some("in-use")
}

/// A name as one word of a shell: Route 53 allows every printable character in one.
fn word(name: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    if name.chars().all(is_plain) {
        name.to_owned()
    } else {
        format!("'{}'", name.replace('\'', r"'\''"))
    }
}

fn record(id: &str, region: &str) -> Vec<Advice> {
    let Some((zone, name, kind, _)) = record_parts(id) else {
        return Vec::new();
    };
    let name = word(name);
    let [(words, command)] = said(OutsideKind::DnsRecord).delete else {
        return Vec::new();
    };
    vec![
        (
            "see it",
            format!(
                "aws route53 list-resource-record-sets --region {region} --hosted-zone-id {zone} \
                 --start-record-name {name} --start-record-type {kind} --max-items 1"
            ),
        ),
        (
            words,
            filled(
                command,
                &OutsideResource::new(OutsideKind::DnsRecord, zone),
                region,
            ),
        ),
    ]
}

const BY_AWS: &str = "AWS deletes it with what it belongs to, within minutes: run the same command again. To see what that is";
const ATTACHED: &str = "it is attached, and goes with that or is detached first. To see what to";

fn see_interface(words: &'static str, resource: &OutsideResource, region: &str) -> Vec<Advice> {
    let id = resource.id.as_str();
    if resource.kind != OutsideKind::Interface {
        return steps(resource, region);
    }
    let command = format!(
        "aws ec2 describe-network-interfaces --region {region} --network-interface-ids {id} \
         --query 'NetworkInterfaces[].[Description,RequesterId,Status,Attachment.InstanceId]' --output text"
    );
    vec![(words, command)]
}

/// How something that was kept is used again; `None` where there is nothing to use.
pub(super) fn reuse(resource: &OutsideResource, region: &str) -> Option<Advice> {
    let (words, command) = said(resource.kind).reuse?;
    Some((words, filled(command, resource, region)))
}

/// How a volume is saved before it is deleted.
pub(in crate::report) fn save_volume(id: &str, region: &str) -> String {
    format!("aws ec2 create-snapshot --region {region} --volume-id {id}")
}

/// How the kept volumes of a cluster are listed, at any time later.
pub(super) fn list_volumes(cluster: &str, region: &str) -> String {
    format!(
        "aws ec2 describe-volumes --region {region} --filters Name=tag:kubernetes.io/cluster/{cluster},Values=owned"
    )
}

/// The IAM actions without which a kind can't be looked for.
pub(super) const fn actions(kind: OutsideKind) -> &'static [&'static str] {
    said(kind).rights
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_of_a_record_is_one_word_of_a_shell() {
        assert_eq!(word("a-shop.example.com."), "a-shop.example.com.");
        assert_eq!(word("$(id)'.x."), r"'$(id)'\''.x.'");
        let record = OutsideResource::new(OutsideKind::DnsRecord, r"Z1 \052.x. A");
        let advice = delete(&record, "eu-west-1");
        let (_, see) = &advice[0];
        assert!(see.contains(r"--start-record-name '\052.x.' "), "{see}");
    }
}
