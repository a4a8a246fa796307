//! Which references of a rendered template are to something that it does not declare. Knows nothing of
//! what a resource has: whether there is an attribute of that name, AWS says.

use std::fmt;

use serde_json::{Map, Value};

use super::references::{Reference, Steps, visit};

/// What `Ref` gives without anybody declaring it.
const PSEUDO_PARAMETERS: [&str; 8] = [
    "AWS::AccountId",
    "AWS::NoValue",
    "AWS::NotificationARNs",
    "AWS::Partition",
    "AWS::Region",
    "AWS::StackId",
    "AWS::StackName",
    "AWS::URLSuffix",
];

/// A reference of a template to something that the template does not declare.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unresolved<'a> {
    /// The resource, output or condition, and the way to the value in it.
    pub place: String,
    /// `Ref`, `DependsOn` and so on.
    pub function: &'a str,
    /// The name that nothing has; empty where the function's arguments name nothing.
    pub name: &'a str,
    /// What the name should be of.
    pub wanted: Wanted<'a>,
    /// The names that are there to be referred to.
    pub choices: Vec<&'a str>,
}

/// What a reference needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted<'a> {
    Parameter,
    ParameterOrResource,
    Resource,
    Condition,
    Mapping,
    /// A key of the mapping of this name.
    Key(&'a str),
    /// Arguments of this form.
    Form(&'static str),
}

impl fmt::Display for Unresolved<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (place, function, name) = (&self.place, self.function, self.name);
        if let Wanted::Form(form) = self.wanted {
            return write!(f, "{place}: {function} does not have the form {form}");
        }
        write!(f, "{place}: {function} names `{name}`, which is ")?;
        match self.wanted {
            Wanted::Parameter => f.write_str("not a parameter"),
            Wanted::ParameterOrResource => f.write_str("neither a parameter nor a resource"),
            Wanted::Resource => f.write_str("not a resource"),
            Wanted::Condition => f.write_str("not a condition"),
            Wanted::Mapping => f.write_str("not a mapping"),
            Wanted::Key(mapping) => write!(f, "not a key of the mapping `{mapping}`"),
            Wanted::Form(_) => Ok(()),
        }
    }
}

/// Every reference of a template to what it does not declare, in the order of the template.
pub fn unresolved(template: &Value) -> Vec<Unresolved<'_>> {
    let mut search = Search {
        declared: Declared::of(template),
        section: Section::Conditions,
        found: Vec::new(),
    };
    for section in [
        Section::Conditions,
        Section::Rules,
        Section::Resources,
        Section::Outputs,
    ] {
        search.section = section;
        for (id, body) in members(template, section.key()).into_iter().flatten() {
            search.member(id, body);
        }
    }
    search.found
}

/// A section whose members refer to others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Section {
    Conditions,
    Rules,
    Resources,
    Outputs,
}

impl Section {
    fn key(self) -> &'static str {
        match self {
            Self::Conditions => "Conditions",
            Self::Rules => "Rules",
            Self::Resources => "Resources",
            Self::Outputs => "Outputs",
        }
    }

    fn member(self) -> &'static str {
        match self {
            Self::Conditions => "condition",
            Self::Rules => "rule",
            Self::Resources => "resource",
            Self::Outputs => "output",
        }
    }

    /// Conditions and rules are decided before there is any resource.
    fn sees_resources(self) -> bool {
        matches!(self, Self::Resources | Self::Outputs)
    }
}

fn members<'a>(template: &'a Value, section: &str) -> Option<&'a Map<String, Value>> {
    template.get(section)?.as_object()
}

struct Declared<'a> {
    parameters: Option<&'a Map<String, Value>>,
    resources: Option<&'a Map<String, Value>>,
    conditions: Option<&'a Map<String, Value>>,
    mappings: Option<&'a Map<String, Value>>,
}

impl<'a> Declared<'a> {
    fn of(template: &'a Value) -> Self {
        let section = |key| members(template, key);
        Self {
            parameters: section("Parameters"),
            resources: section("Resources"),
            conditions: section("Conditions"),
            mappings: section("Mappings"),
        }
    }

    /// The names that would do.
    fn choices(&self, wanted: Wanted<'_>) -> Vec<&'a str> {
        let names = |map: Option<&'a Map<String, Value>>| {
            map.into_iter().flat_map(Map::keys).map(String::as_str)
        };
        let parameters = || names(self.parameters).chain(PSEUDO_PARAMETERS);
        match wanted {
            Wanted::Parameter => parameters().collect(),
            Wanted::ParameterOrResource => parameters().chain(names(self.resources)).collect(),
            Wanted::Resource => names(self.resources).collect(),
            Wanted::Condition => names(self.conditions).collect(),
            Wanted::Mapping => names(self.mappings).collect(),
            Wanted::Key(_) | Wanted::Form(_) => Vec::new(),
        }
    }
}

struct Search<'a> {
    declared: Declared<'a>,
    section: Section,
    found: Vec<Unresolved<'a>>,
}

/// A use of names: where it is, and by which function.
#[derive(Clone, Copy)]
struct Site<'a, 's> {
    id: &'s str,
    function: &'a str,
    at: &'s Steps<'s>,
}

impl<'a> Search<'a> {
    fn member(&mut self, id: &str, body: &'a Value) {
        visit(body, &Steps::Start, &mut |function, reference, at| {
            self.reference(Site { id, function, at }, reference);
        });
        if self.section.sees_resources() {
            self.attribute(id, body, "Condition", Wanted::Condition);
            self.attribute(id, body, "DependsOn", Wanted::Resource);
        }
    }

    /// An attribute of a resource or output that holds a name, or several.
    fn attribute(&mut self, id: &str, body: &'a Value, function: &'a str, wanted: Wanted<'a>) {
        let steps = Steps::Key(&Steps::Start, function);
        let mut name = |name: &'a Value, at: &Steps<'_>| {
            let site = Site { id, function, at };
            match name.as_str() {
                Some(name) => self.need(site, name, wanted),
                None => self.report(site, "", Wanted::Form("a name"), Vec::new()),
            }
        };
        match body.get(function) {
            Some(Value::Array(names)) if wanted == Wanted::Resource => {
                for (index, one) in names.iter().enumerate() {
                    name(one, &Steps::Index(&steps, index));
                }
            }
            Some(one) => name(one, &steps),
            None => {}
        }
    }

    fn reference(&mut self, site: Site<'a, '_>, reference: Reference<'a>) {
        match reference {
            Reference::Name(name) if self.section.sees_resources() => {
                self.need(site, name, Wanted::ParameterOrResource);
            }
            Reference::Name(name) => self.need(site, name, Wanted::Parameter),
            Reference::Attribute(name) => self.need(site, name, Wanted::Resource),
            // Below a resource `Condition` is a member of an IAM statement, or of something like it.
            Reference::Condition(_)
                if site.function == "Condition" && self.section.sees_resources() => {}
            Reference::Condition(name) => self.need(site, name, Wanted::Condition),
            Reference::Entry(arguments) => self.entry(site, arguments),
            Reference::Malformed => {
                let form = Wanted::Form(form(site.function));
                self.report(site, "", form, Vec::new());
            }
        }
    }

    /// A key that is only known to AWS may be any that the mapping has.
    fn entry(&mut self, site: Site<'a, '_>, arguments: &'a [Value]) {
        let [Value::String(mapping), first, second, default @ ..] = arguments else {
            return;
        };
        self.need(site, mapping, Wanted::Mapping);
        let rows = self.declared.mappings.and_then(|all| all.get(mapping));
        let Some(rows) = rows.and_then(Value::as_object) else {
            return;
        };
        if !default.is_empty() {
            return;
        }
        let wanted = Wanted::Key(mapping);
        if let Some(key) = first.as_str()
            && !rows.contains_key(key)
        {
            let choices = rows.keys().map(String::as_str).collect();
            return self.report(site, key, wanted, choices);
        }
        let chosen = rows
            .iter()
            .filter(|(key, _)| first.as_str().is_none_or(|one| one == *key));
        let cells = chosen.filter_map(|(_, row)| row.as_object());
        let choices: Vec<&str> = cells.flat_map(Map::keys).map(String::as_str).collect();
        if let Some(key) = second.as_str()
            && !choices.contains(&key)
        {
            self.report(site, key, wanted, choices);
        }
    }

    fn need(&mut self, site: Site<'a, '_>, name: &'a str, wanted: Wanted<'a>) {
        let choices = self.declared.choices(wanted);
        if !choices.contains(&name) {
            self.report(site, name, wanted, choices);
        }
    }

    fn report(
        &mut self,
        site: Site<'a, '_>,
        name: &'a str,
        wanted: Wanted<'a>,
        choices: Vec<&'a str>,
    ) {
        let member = self.section.member();
        let place = match site.at {
            Steps::Start => format!("{member} {}", site.id),
            at => format!("{member} {}, {at}", site.id),
        };
        self.found.push(Unresolved {
            place,
            function: site.function,
            name,
            wanted,
            choices,
        });
    }
}

fn form(function: &str) -> &'static str {
    match function {
        "Fn::GetAtt" => "[resource, attribute]",
        "Fn::Sub" => "text, or [text, {name: value}]",
        "Fn::If" => "[condition, value, value]",
        "Fn::FindInMap" => "[mapping, key, key]",
        _ => "a name",
    }
}

#[cfg(test)]
mod tests;
