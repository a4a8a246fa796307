//! Names, the Kubernetes version and tags: against the limits of AWS and the catalogue.

use semver::Version;

use super::{Violation, either, path};
use crate::catalog::kubernetes;
use crate::spec::ClusterSpec;

/// The longest cluster name: the load balancer is called `<name>-api` and AWS allows it 32 letters.
pub const LONGEST_NAME: usize = 28;
/// The longest pool name, so that `<cluster>-pool-<pool>` stays readable and far below the 128
/// letters of a stack name.
pub const LONGEST_POOL_NAME: usize = 40;
/// AWS allows 50 tags on a resource; the tool, Kubernetes and the autoscaler need up to ten.
pub const MOST_TAGS: usize = 40;

/// The least of AWS's limits, in characters: the keys of EC2, the values of CloudFormation.
const LONGEST_TAG_KEY: usize = 127;
const LONGEST_TAG_VALUE: usize = 256;

/// What neither key nor value of a tag on a database may begin with.
const TAKEN_BY_RDS: [&str; 2] = ["aws:", "rds:"];

/// Tag keys that belong to AWS, to this tool and to Kubernetes.
const TAKEN_PREFIXES: [(&str, &str); 5] = [
    ("aws:", "AWS keeps `aws:` for itself"),
    ("kube-cfn", "the tool finds its own resources by these tags"),
    (
        "kubernetes.io/",
        "Kubernetes finds its own resources by these tags",
    ),
    ("k8s.io/", "the cluster autoscaler reads these tags"),
    ("Name", "the tool names every resource itself"),
];

pub(super) fn check(spec: &ClusterSpec, broken: &mut Vec<Violation>) {
    name(spec, broken);
    version(&spec.kubernetes, broken);
    tags(spec, broken);
}

fn has(spec: &ClusterSpec, part: &str) -> bool {
    spec.name.ends_with(part) || spec.name.contains(&format!("{part}-"))
}

/// A cluster `a-pool` with its stack `a-pool-base` would meet pool `base` of a cluster `a`.
fn name(spec: &ClusterSpec, broken: &mut Vec<Violation>) {
    if has(spec, "-pool") {
        let what = format!(
            "`{}` could be the name of another cluster's pool stack",
            spec.name
        );
        let why =
            "the stacks of pools are called `<cluster>-pool-<pool>`: write a name without `-pool`";
        broken.push(Violation::new("name", what, why));
    }
}

/// The database of a cluster `a-database` has a name that a pattern for the database of `a` fits.
pub(super) fn like_a_database(spec: &ClusterSpec) -> Option<Violation> {
    has(spec, "-database").then(|| {
        let what = format!(
            "`{}` could be the name of another cluster's database",
            spec.name
        );
        let why = "the control plane of a cluster may read the password of what is called `<cluster>-database-...`: \
                   write a name without `-database` for a new cluster";
        Violation::new("name", what, why)
    })
}

fn version(version: &Version, broken: &mut Vec<Violation>) {
    if kubernetes::knows(version) {
        return;
    }
    let help = if let Some(patch) = kubernetes::newest_patch(version.major, version.minor) {
        format!(
            "the newest known patch of {}.{} is {patch}",
            version.major, version.minor
        )
    } else {
        let mut minors: Vec<String> = kubernetes::versions()
            .filter_map(|known| kubernetes::newest_patch(known.major, known.minor))
            .map(Version::to_string)
            .collect();
        minors.dedup();
        format!(
            "write {}, or update kube-cfn for newer versions",
            either(minors)
        )
    };
    broken.push(Violation::new(
        "kubernetes",
        format!("Kubernetes {version} is not in the catalogue of this kube-cfn"),
        help,
    ));
}

fn tags(spec: &ClusterSpec, broken: &mut Vec<Violation>) {
    if spec.tags.len() > MOST_TAGS {
        broken.push(Violation::new(
            "tags",
            format!("{} tags, at most {MOST_TAGS} fit", spec.tags.len()),
            "AWS allows 50 tags on a resource and ten are needed for the cluster itself",
        ));
    }
    for (key, value) in &spec.tags {
        let at = path("tags", key);
        if let Some((_, why)) = TAKEN_PREFIXES.iter().find(|(prefix, _)| taken(key, prefix)) {
            let what = format!("the tag key `{key}` is taken");
            broken.push(Violation::new(at, what, format!("{why}: choose another key")).on_key());
            continue;
        }
        let same = |other: &&String| *other < key && other.to_lowercase() == key.to_lowercase();
        if let Some(other) = spec.tags.keys().find(same) {
            let what = format!("the tag keys `{other}` and `{key}` differ only in capitals");
            let help = "IAM takes them for one key, and refuses both: remove one of them";
            broken.push(Violation::new(&at, what, help).on_key());
        }
        let key_found = tag_text(&at, "key", key, LONGEST_TAG_KEY);
        broken.extend(key_found.into_iter().map(Violation::on_key));
        broken.extend(tag_text(&at, "value", value, LONGEST_TAG_VALUE));
        if spec.database.is_some() {
            for (half, text) in [("key", key), ("value", value)] {
                let mut prefixes = TAKEN_BY_RDS.iter();
                if let Some(prefix) = prefixes.find(|prefix| taken(text, prefix)) {
                    let what = format!("a tag {half} must not start with `{prefix}`");
                    let help = "RDS refuses it, and the database has all tags: write another one";
                    let found = Violation::new(&at, what, help);
                    broken.push(if half == "key" { found.on_key() } else { found });
                }
            }
        }
    }
}

/// What AWS would not take of one half of a tag.
fn tag_text(at: &str, half: &str, text: &str, longest: usize) -> Vec<Violation> {
    let mut broken = Vec::new();
    let length = text.chars().count();
    if text.trim().is_empty() {
        let help =
            "CloudFormation takes tags of one character or more: write one, or remove the tag";
        broken.push(Violation::new(
            at,
            format!("a tag {half} must not be empty"),
            help,
        ));
    }
    if length > longest {
        let what = format!("a tag {half} of {length} characters, at most {longest} fit");
        broken.push(Violation::new(
            at,
            what,
            "this is a limit of AWS: shorten it",
        ));
    }
    if let Some(odd) = text.chars().find(|c| !allowed_in_tag(*c)) {
        let what = format!("a tag {half} must not hold {odd:?}");
        let help = "letters, digits, spaces and _ . : / = + - @ are what every service takes";
        broken.push(Violation::new(at, what, help));
    }
    broken
}

fn taken(key: &str, prefix: &str) -> bool {
    if prefix == "Name" {
        return key == prefix;
    }
    key.to_ascii_lowercase().starts_with(prefix)
}

fn allowed_in_tag(c: char) -> bool {
    c.is_alphanumeric() || " _.:/=+-@".contains(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn longest_names_fit_the_limits_of_aws() {
        let cluster = "c".repeat(LONGEST_NAME);
        let pool = "p".repeat(LONGEST_POOL_NAME);
        let region = "ap-southeast-1";
        assert!(format!("{cluster}-api").len() <= 32, "load balancer");
        assert!(format!("{cluster}-pool-{pool}").len() <= 128, "stack");
        assert!(
            format!("{cluster}-{region}-control-plane").len() <= 64,
            "role"
        );
        assert!(
            format!("{cluster}-{region}-012345678901").len() <= 63,
            "bucket"
        );
        assert!(pool.len() <= 63, "label value");
    }
}
