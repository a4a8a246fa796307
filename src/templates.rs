//! The templates: embedded in the program, overridden file by file from a directory, rendered with
//! Tera, and read back as plain data; then what that data says as a template of CloudFormation. Knows
//! nothing of clusters; every interpolated value is escaped.
//!
//! Three languages, three escapings. In `*.yaml.tera` a string is in double quotes (`"{{ name }}"`)
//! and a whole value goes through the `json` filter (`{{ tags | json }}`). In `*.html.tera` a value
//! is between tags or in a double-quoted attribute. In every other file a value is in single
//! quotes, as shell reads them (`NAME='{{ name }}'`). A file without `.tera` is taken as it is.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

use rust_embed::RustEmbed;
use serde::Serialize;
use serde_json::Value;
use tera::{Context, Tera};

use crate::common::files;

mod data;
pub mod evaluate;
pub mod graph;
pub mod references;
pub mod unresolved;

/// Ending of every template.
const TEMPLATE: &str = ".tera";

/// What a template's result is, by the ending of its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Language {
    Yaml,
    Html,
    Shell,
}

impl Language {
    fn of(name: &str) -> Self {
        if name.ends_with(".yaml.tera") {
            Self::Yaml
        } else if name.ends_with(".html.tera") {
            Self::Html
        } else {
            Self::Shell
        }
    }

    fn escape(self) -> tera::EscapeFn {
        match self {
            Self::Yaml => escape_yaml,
            Self::Html => escape_html,
            Self::Shell => escape_shell,
        }
    }
}

const NO_FILE: &str = "the program has no file of this name";

#[derive(RustEmbed)]
#[folder = "templates/"]
struct Embedded;

/// Every template of the program, parsed.
pub struct Templates {
    engines: BTreeMap<Language, Tera>,
    plain: BTreeMap<String, String>,
}

/// Why a template could not be used.
#[derive(Debug, thiserror::Error)]
pub enum TemplateError {
    #[error("read the template {path}: {source}", path = path.display())]
    Read {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("use {path}: no template of this name exists, so it would override nothing; the templates are {known}", path = path.display())]
    Unknown { path: PathBuf, known: String },
    /// Tera's own report, with file, line, column and the line itself.
    #[error("parse the templates:\n{0}")]
    Parse(String),
    /// Tera's own report, with file, line, column and the line itself.
    #[error("render {name}:\n{report}")]
    Render { name: String, report: String },
    #[error(
        "read the rendered {name} as YAML: line {line}, column {column}: {what}\n  {line} | {text}"
    )]
    Yaml {
        name: String,
        line: usize,
        column: usize,
        what: String,
        text: String,
    },
}

impl Templates {
    /// The embedded templates, each replaced by the file of the same relative path under
    /// `override_dir` where there is one. A file there that replaces nothing is an error, so that a
    /// misspelt name does not go unseen.
    pub fn new(override_dir: Option<&Path>) -> Result<Self, TemplateError> {
        let mut texts = embedded();
        if let Some(directory) = override_dir.filter(|directory| directory.is_dir()) {
            overlay(directory, directory, &mut texts)?;
        }
        Self::of(texts)
    }

    fn of(texts: BTreeMap<String, String>) -> Result<Self, TemplateError> {
        let mut plain = BTreeMap::new();
        let mut templates: BTreeMap<Language, Vec<(String, String)>> = BTreeMap::new();
        for (name, text) in texts {
            if name.ends_with(TEMPLATE) {
                let language = templates.entry(Language::of(&name));
                language.or_default().push((name, text));
            } else {
                plain.insert(name, text);
            }
        }
        let engines = templates
            .into_iter()
            .map(|(language, texts)| Ok((language, engine(texts, language.escape())?)))
            .collect::<Result<_, TemplateError>>()?;
        Ok(Self { engines, plain })
    }

    /// A file that holds nothing to fill in (`node/lib/common.sh`), as it is.
    pub fn text(&self, name: &str) -> Result<String, TemplateError> {
        let found = self.plain.get(name).cloned();
        found.ok_or_else(|| TemplateError::Render {
            name: name.to_owned(),
            report: NO_FILE.to_owned(),
        })
    }

    /// The text rendered from a template (`stacks/base.yaml.tera`) and its context.
    pub fn render(&self, name: &str, context: &impl Serialize) -> Result<String, TemplateError> {
        let failed = |report: String| TemplateError::Render {
            name: name.to_owned(),
            report,
        };
        let engine = self.engines.get(&Language::of(name));
        let engine = engine.ok_or_else(|| failed(NO_FILE.to_owned()))?;
        let context =
            Context::from_serialize(context).map_err(|error| failed(error.to_string()))?;
        let text = engine.render(name, &context);
        text.map_err(|error| failed(error.to_string()))
    }

    /// The rendered template as plain data. Only what is written like a JSON number or `true` and
    /// `false` is one; anything else that is not quoted stays the text that it is.
    pub fn render_data(
        &self,
        name: &str,
        context: &impl Serialize,
    ) -> Result<Value, TemplateError> {
        data::parse(name, &self.render(name, context)?)
    }

    /// The names of all templates, sorted.
    pub fn names(&self) -> Vec<String> {
        let engines = self.engines.values();
        let mut names: Vec<_> = engines
            .flat_map(Tera::get_template_names)
            .map(str::to_owned)
            .chain(self.plain.keys().cloned())
            .collect();
        names.sort();
        names
    }
}

fn embedded() -> BTreeMap<String, String> {
    Embedded::iter()
        .filter_map(|name| {
            let text = String::from_utf8_lossy(&Embedded::get(&name)?.data).into_owned();
            Some((name.into_owned(), text))
        })
        .collect()
}

/// Replaces the texts by the files under `directory`, by their path relative to `root`.
fn overlay(
    root: &Path,
    directory: &Path,
    texts: &mut BTreeMap<String, String>,
) -> Result<(), TemplateError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| TemplateError::Read { path, source }
    };
    let mut entries = std::fs::read_dir(directory)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(failed(directory))?;
    entries.sort_by_key(std::fs::DirEntry::path);
    for path in entries.into_iter().map(|entry| entry.path()) {
        if path.is_dir() {
            overlay(root, &path, texts)?;
            continue;
        }
        let name = relative(root, &path);
        if !texts.contains_key(&name) {
            // Notes beside the templates are ignored.
            if !name.ends_with(TEMPLATE) && !name.starts_with("node/") {
                continue;
            }
            let known = texts.keys().cloned().collect::<Vec<_>>().join(", ");
            return Err(TemplateError::Unknown { path, known });
        }
        let text = files::read_text(&path).map_err(failed(&path))?;
        texts.insert(name, text);
    }
    Ok(())
}

/// With `/` between the parts on every platform.
fn relative(root: &Path, path: &Path) -> String {
    let parts = path.strip_prefix(root).unwrap_or(path).components();
    let parts: Vec<_> = parts
        .map(|part| part.as_os_str().to_string_lossy())
        .collect();
    parts.join("/")
}

fn engine(texts: Vec<(String, String)>, escape: tera::EscapeFn) -> Result<Tera, TemplateError> {
    let mut engine = Tera::new();
    engine.autoescape_on([TEMPLATE]);
    engine.set_escape_fn(escape);
    engine.register_filter("json", json);
    engine
        .add_raw_templates(texts)
        .map_err(|error| TemplateError::Parse(error.to_string()))?;
    Ok(engine)
}

/// A whole value as JSON, which is YAML as well. Tera's maps have no order of their own, so keys come
/// sorted: the same value always gives the same bytes.
fn json(value: &tera::Value, _: tera::Kwargs, _: &tera::State) -> tera::TeraResult<tera::Value> {
    let mut value = serde_json::to_value(value).map_err(tera::Error::message)?;
    value.sort_all_objects();
    Ok(tera::Value::safe_string(&value.to_string()))
}

/// Escapes for the inside of a JSON string; YAML reads it the same way.
fn escape_yaml(text: &str, out: &mut dyn Write) -> std::io::Result<()> {
    let quoted = serde_json::to_string(text)?;
    let inner = quoted.get(1..quoted.len() - 1).unwrap_or_default();
    out.write_all(inner.as_bytes())
}

/// Escapes for text between tags, or inside a double-quoted attribute.
fn escape_html(text: &str, out: &mut dyn Write) -> std::io::Result<()> {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped += "&amp;",
            '<' => escaped += "&lt;",
            '>' => escaped += "&gt;",
            '"' => escaped += "&quot;",
            '\'' => escaped += "&#39;",
            c => escaped.push(c),
        }
    }
    out.write_all(escaped.as_bytes())
}

/// Escapes for the inside of a single-quoted shell word.
fn escape_shell(text: &str, out: &mut dyn Write) -> std::io::Result<()> {
    out.write_all(text.replace('\'', r"'\''").as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Serialize)]
    struct One {
        value: &'static str,
    }

    fn templates_of(files: &[(&str, &str)]) -> Templates {
        let texts = files.iter();
        let texts = texts.map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
        Templates::of(texts.collect()).unwrap()
    }

    #[test]
    fn yaml_escaping_keeps_one_string() {
        let templates =
            templates_of(&[("a.yaml.tera", "a: \"{{ value }}\"\nb: {{ value | json }}")]);
        for value in [
            "x\"\ny: 1",
            "a: b # c",
            "\\",
            "{{ x }}",
            "\u{1F600}\t'",
            "- no",
        ] {
            let data = templates
                .render_data("a.yaml.tera", &One { value })
                .unwrap();
            assert_eq!(data, serde_json::json!({"a": value, "b": value}));
        }
    }

    #[test]
    fn shell_escaping_keeps_one_word() {
        let templates = templates_of(&[("a.sh.tera", "A='{{ value }}'")]);
        let value = "it's $(reboot)";
        let text = templates.render("a.sh.tera", &One { value }).unwrap();
        assert_eq!(text, r"A='it'\''s $(reboot)'");
    }

    #[test]
    fn html_escaping_keeps_text() {
        let templates =
            templates_of(&[("a.html.tera", "<i title=\"{{ value }}\">{{ value }}</i>")]);
        let value = "<b> \"x\" & 'y'";
        let text = templates.render("a.html.tera", &One { value }).unwrap();
        let safe = "&lt;b&gt; &quot;x&quot; &amp; &#39;y&#39;";
        assert_eq!(text, format!("<i title=\"{safe}\">{safe}</i>"));
    }

    #[test]
    fn misspelt_template_variable_is_located() {
        let templates = templates_of(&[("a.yaml.tera", "x: 1\na: \"{{ valeu }}\"")]);
        let error = templates
            .render("a.yaml.tera", &One { value: "" })
            .unwrap_err();
        let text = error.to_string();
        assert!(text.contains("a.yaml.tera:2:"), "{text}");
        assert!(text.contains("valeu"), "{text}");
    }
}
