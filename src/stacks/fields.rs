//! Which field of the definition decides a property of a resource. Each stack's module holds its own
//! table; here is how the tables are read. A test in `tests/offline/stacks/fields.rs` changes every
//! field there is and holds the tables against what differs.

use super::{Stack, StackKind};
use crate::common::tags::TAG_CLUSTER;

/// One line of a stack's table: these resources, this property of theirs, and the fields that decide
/// it, the most specific first. In the text of a table three columns, the fields with commas.
///
/// In `resource`, `*` matches any letters and `?` one. `path` is one of a property, as a change
/// set has it (`Properties.MinSize`), `*` for all of them, and `-` for the resource itself: whether
/// it is there, and what to look at when it fails. In a field, `{pool}` is the pool's name and
/// `{lock}` for the lock file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FieldOrigin {
    pub resource: &'static str,
    pub path: &'static str,
    fields: &'static str,
}

/// What holds in every stack: CloudFormation hands a stack's tags on to its resources.
const EVERYWHERE: &str = "
*  Tags             tags
*  Properties.Tags  tags
";

/// The path of a line that is about the resource itself.
const ITSELF: &str = "-";

impl FieldOrigin {
    fn read(line: &'static str) -> Option<Self> {
        let (resource, rest) = line.split_once(' ')?;
        let (path, fields) = rest.trim_start().split_once(' ')?;
        Some(Self {
            resource,
            path,
            fields: fields.trim_start(),
        })
    }

    /// The fields of the definition, the most specific first.
    pub fn fields(self) -> impl Iterator<Item = &'static str> {
        self.fields.split(", ")
    }

    /// Whether this line is about a property, of something in it, or of something around it.
    pub fn matches_property(&self, logical_id: &str, path: &str) -> bool {
        self.path != ITSELF && matches(self.resource, logical_id) && meets(self.path, path)
    }

    /// Whether this line is about the resource itself.
    pub fn matches_resource(&self, logical_id: &str) -> bool {
        self.path == ITSELF && matches(self.resource, logical_id)
    }
}

impl Stack {
    /// The fields of the definition that decide a property of a resource, the most specific first.
    /// Without a path, and for a property that no field decides, those that the resource as a whole
    /// comes from. Empty for a resource that is none of this stack's.
    pub fn fields(&self, logical_id: &str, path: Option<&str>) -> Vec<String> {
        let mut origins: Vec<FieldOrigin> = match path {
            Some(path) => self
                .table()
                .filter(|r| r.matches_property(logical_id, path))
                .collect(),
            None => Vec::new(),
        };
        origins.sort_by_key(|row| std::cmp::Reverse(row.path.len()));
        if origins.is_empty() {
            origins.extend(self.table().find(|row| row.matches_resource(logical_id)));
        }
        let mut fields: Vec<String> = Vec::new();
        for field in origins.into_iter().flat_map(FieldOrigin::fields) {
            let field = self.filled(field);
            if !fields.contains(&field) {
                fields.push(field);
            }
        }
        fields
    }

    /// The table that [`Stack::fields`] reads.
    pub fn table(&self) -> impl Iterator<Item = FieldOrigin> {
        let tables = [self.kind.row().fields, EVERYWHERE];
        tables
            .into_iter()
            .flat_map(str::lines)
            .filter_map(FieldOrigin::read)
    }

    /// The name of the lock file, where a field is named: `canary.lock.yaml`.
    pub fn lock_file(&self) -> String {
        let ending = format!("-{}", self.kind);
        let by_name = || self.name.strip_suffix(&ending).unwrap_or(&self.name);
        let cluster = self
            .tags
            .get(TAG_CLUSTER)
            .map_or_else(by_name, String::as_str);
        format!("{cluster}.lock.yaml")
    }

    /// The line of a resource in [`Stack::yaml`], which `kube-cfn render NAME --out DIR` writes as
    /// `STACK-NAME.yaml`. From 1.
    pub fn line(&self, logical_id: &str) -> Option<u32> {
        let wanted = format!("  {logical_id}:");
        let yaml = self.yaml();
        let mut lines = (1_u32..).zip(yaml.lines());
        lines.find(|(_, line)| *line == "Resources:")?;
        lines
            .take_while(|(_, line)| line.is_empty() || line.starts_with(' '))
            .find(|(_, line)| line.trim_end() == wanted)
            .map(|(number, _)| number)
    }

    fn filled(&self, field: &str) -> String {
        match &self.kind {
            _ if field == "{lock}" => self.lock_file(),
            StackKind::Pool(name) => field.replace("{pool}", name),
            _ => field.to_owned(),
        }
    }
}

/// Whether two paths are the same, or one is a part of the other.
fn meets(pattern: &str, path: &str) -> bool {
    pattern == "*" || pattern.split('.').zip(path.split('.')).all(|(a, b)| a == b)
}

fn matches(pattern: &str, text: &str) -> bool {
    match pattern.chars().next() {
        None => text.is_empty(),
        Some('*') => {
            let rest = &pattern[1..];
            let mut ends = text.char_indices().map(|(at, _)| at).chain([text.len()]);
            ends.any(|at| matches(rest, &text[at..]))
        }
        Some(wanted) => {
            let mut letters = text.chars();
            let same = |letter| wanted == '?' || wanted == letter;
            letters.next().is_some_and(same)
                && matches(&pattern[wanted.len_utf8()..], letters.as_str())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stacks::kind::KINDS;

    #[test]
    fn field_tables_have_three_columns() {
        let tables = KINDS.iter().map(|row| row.fields);
        for line in tables
            .chain([EVERYWHERE])
            .flat_map(|table| table.lines().skip(1))
        {
            assert!(FieldOrigin::read(line).is_some(), "{line}");
        }
    }

    #[test]
    fn field_pattern_matches_the_whole_name() {
        for (pattern, name, is) in [
            ("Eni?", "EniA", true),
            ("Eni?", "Eni", false),
            ("Eni?", "EniAB", false),
            ("*", "", true),
            ("Private*", "PrivateSubnetA", true),
            ("*FromVpc", "NodeNodePortsTcpFromVpc", true),
            ("*FromVpc", "FromVpcNot", false),
        ] {
            assert_eq!(matches(pattern, name), is, "{pattern} {name}");
        }
    }

    #[test]
    fn field_path_matches_parents_and_children() {
        let of = "Properties.KeyPolicy.Statement";
        for (path, is) in [
            ("Properties", true),
            ("Properties.KeyPolicy", true),
            ("Properties.KeyPolicy.Statement.1.Sid", true),
            ("Properties.KeyPolicyX", false),
            ("Metadata", false),
        ] {
            assert_eq!(meets(of, path), is, "{path}");
        }
    }
}
