//! What a rendered template refers to, and where. Knows how CloudFormation writes references, not what
//! they are to.

use std::fmt;

use serde_json::{Map, Value};

/// One use of names.
#[derive(Debug, Clone, Copy)]
pub enum Reference<'a> {
    /// A parameter, a pseudo parameter or a resource: `Ref`, or `${Name}` in `Fn::Sub`.
    Name(&'a str),
    /// The resource that has an attribute: `Fn::GetAtt`, or `${Resource.Attribute}` in `Fn::Sub`.
    Attribute(&'a str),
    /// A condition.
    Condition(&'a str),
    /// The arguments of `Fn::FindInMap`: mapping, key, key, and what it gives where there is none.
    Entry(&'a [Value]),
    /// A function whose arguments name nothing.
    Malformed,
}

/// The way from a resource, output or condition to a value inside of it.
#[derive(Debug, Clone, Copy)]
pub enum Steps<'a> {
    Start,
    Key(&'a Steps<'a>, &'a str),
    Index(&'a Steps<'a>, usize),
}

impl fmt::Display for Steps<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Start => Ok(()),
            Self::Key(Self::Start, key) => f.write_str(key),
            Self::Key(before, key) => write!(f, "{before}.{key}"),
            Self::Index(before, index) => write!(f, "{before}[{index}]"),
        }
    }
}

/// Calls `see` with every reference inside of `value`: the function, what it names, and where it is.
/// Only an object of one member is a function, as CloudFormation has it.
pub fn visit<'a>(
    value: &'a Value,
    at: &Steps<'_>,
    see: &mut dyn FnMut(&'a str, Reference<'a>, &Steps<'_>),
) {
    match value {
        Value::Object(map) => {
            if map.len() == 1
                && let Some((name, inner)) = map.iter().next()
            {
                read(name, inner, &mut |reference| see(name, reference, at));
            }
            for (key, inner) in map {
                visit(inner, &Steps::Key(at, key), see);
            }
        }
        Value::Array(items) => {
            for (index, inner) in items.iter().enumerate() {
                visit(inner, &Steps::Index(at, index), see);
            }
        }
        _ => {}
    }
}

/// What a function names by itself; what its arguments name is found inside of them.
fn read<'a>(function: &str, inner: &'a Value, see: &mut dyn FnMut(Reference<'a>)) {
    match (function, inner) {
        ("Ref", Value::String(name)) => see(Reference::Name(name)),
        ("Fn::GetAtt", Value::String(path)) => see(attribute(path).unwrap_or(Reference::Malformed)),
        ("Fn::GetAtt", Value::Array(words)) => match &words[..] {
            [Value::String(id), _] => see(Reference::Attribute(id)),
            _ => see(Reference::Malformed),
        },
        ("Fn::Sub", Value::String(text)) => substituted(text, None, see),
        ("Fn::Sub", Value::Array(parts)) => match &parts[..] {
            [Value::String(text), Value::Object(own)] => substituted(text, Some(own), see),
            _ => see(Reference::Malformed),
        },
        ("Fn::If", Value::Array(parts)) => match &parts[..] {
            [Value::String(name), _, _] => see(Reference::Condition(name)),
            _ => see(Reference::Malformed),
        },
        ("Condition", Value::String(name)) => see(Reference::Condition(name)),
        ("Fn::FindInMap", Value::Array(parts)) if matches!(parts.len(), 3 | 4) => {
            see(Reference::Entry(parts));
        }
        ("Ref" | "Fn::GetAtt" | "Fn::Sub" | "Fn::If" | "Fn::FindInMap", _) => {
            see(Reference::Malformed);
        }
        _ => {}
    }
}

fn attribute(path: &str) -> Option<Reference<'_>> {
    path.split_once('.').map(|(id, _)| Reference::Attribute(id))
}

/// The names in the text of `Fn::Sub` beside those of its own map.
fn substituted<'a>(
    text: &'a str,
    own: Option<&'a Map<String, Value>>,
    see: &mut dyn FnMut(Reference<'a>),
) {
    for piece in pieces(text) {
        if let Piece::Name(name) = piece
            && !own.is_some_and(|own| own.contains_key(name))
        {
            see(attribute(name).unwrap_or(Reference::Name(name)));
        }
    }
}

/// A part of the text of `Fn::Sub`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Piece<'a> {
    Text(&'a str),
    /// The content of `${…}`.
    Name(&'a str),
}

/// The parts of the text of `Fn::Sub`, in order. `${!name}` is the text `${name}`.
pub fn pieces(text: &str) -> impl Iterator<Item = Piece<'_>> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let Some(inside) = rest.strip_prefix("${") else {
            let (plain, later) = rest.split_at(rest.find("${").unwrap_or(rest.len()));
            rest = later;
            return (!plain.is_empty()).then_some(Piece::Text(plain));
        };
        let (piece, later) = match (inside.strip_prefix('!'), inside.split_once('}')) {
            (Some(literal), Some(_)) => (Piece::Text("${"), literal),
            (None, Some((name, later))) => (Piece::Name(name), later),
            (_, None) => (Piece::Text(rest), ""),
        };
        rest = later;
        Some(piece)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sub_text_has_names_and_literals() {
        let read = |text| {
            let shown = pieces(text).map(|piece| match piece {
                Piece::Text(text) => text.to_owned(),
                Piece::Name(name) => format!("<{name}>"),
            });
            shown.collect::<String>()
        };
        assert_eq!(read("a ${B.C}${D}"), "a <B.C><D>");
        assert_eq!(read("${!Kept} $x ${open"), "${Kept} $x ${open");
        assert_eq!(read("${!Kept}${D}"), "${Kept}<D>");
        assert_eq!(read("${!open"), "${!open");
    }
}
