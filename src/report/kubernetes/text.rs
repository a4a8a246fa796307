//! A running cluster in lines for 80 columns.

use std::fmt::Write;

use super::{EtcdView, KubernetesView, NodeView};
use crate::common::text::{folding, listed_line};
use crate::report::certificates::CertificateKind;
use crate::report::format;

/// The lines below the API's address, for 80 columns.
pub fn summary(view: &KubernetesView) -> String {
    let mut text = String::new();
    let mut line = |label: &str, content: &str| {
        let label = format!("{label:10}");
        let options = folding(80).initial_indent(&label);
        let options = options.subsequent_indent("          ");
        // Writing to a String can't fail.
        let _ = writeln!(text, "{}", textwrap::fill(content, options));
    };
    if let Some(version) = &view.version {
        let ready = if view.ready { "ready" } else { "not ready" };
        line("version", &format!("{version}, {ready}"));
    } else if view.ready {
        line("", "is ready");
    }
    if !view.failing.is_empty() {
        line("", &format!("failing checks: {}", view.failing.join(", ")));
    }
    if let Some(words) = etcd(&view.etcd) {
        line("etcd", &words);
    }
    if let Some(why) = &view.silent {
        line("", why);
    }
    let soonest = |kind| {
        let rows = view.certificates.iter().filter(move |row| row.kind == kind);
        rows.filter_map(|row| row.days_left).min()
    };
    let left = |name: &str, days: i64| match days {
        ..0 => format!("{name} expired"),
        days => format!("{name} {days} days left"),
    };
    let kinds = [
        ("serving", soonest(CertificateKind::Serving)),
        ("authorities", soonest(CertificateKind::Authority)),
    ];
    let left_words = kinds
        .iter()
        .filter_map(|(name, days)| Some(left(name, (*days)?)));
    let left_words: Vec<_> = left_words.collect();
    if !left_words.is_empty() {
        line("certs", &left_words.join(", "));
    }
    for trouble in view
        .certificates
        .iter()
        .filter_map(|row| row.trouble.as_ref())
    {
        line("", &format!("!! {trouble}"));
    }
    text
}

/// The nodes and what is missing, below everything else.
pub fn nodes(view: &KubernetesView) -> String {
    let mut text = String::new();
    if !view.nodes.is_empty() {
        // Writing to a String can't fail.
        let _ = write!(text, "\n{}\n", table(&view.nodes));
    }
    for what in view.missing.iter().chain(&view.failed_pods) {
        let _ = writeln!(text, "{}", listed_line(" !! ", what));
    }
    if let Some(what) = &view.not_compared {
        let _ = writeln!(text, "{}", listed_line(" ?? ", what));
    }
    text
}

fn etcd(etcd: &EtcdView) -> Option<String> {
    let answers = if etcd.answers? {
        "answers"
    } else {
        "does not answer"
    };
    Some(match etcd.pods {
        0 => answers.to_owned(),
        pods => format!("{answers}; {} of {pods} members' pods run", etcd.running),
    })
}

fn table(nodes: &[NodeView]) -> String {
    let rows = nodes.iter().map(|node| {
        let ready = match (node.ready, node.cordoned) {
            (true, false) => "Ready",
            (true, true) => "Ready, cordoned",
            (false, false) => "NotReady",
            (false, true) => "NotReady, cordoned",
        };
        vec![
            node.name.clone(),
            node.role.clone(),
            node.version.clone(),
            ready.to_owned(),
        ]
    });
    format::table(&["NODE", "ROLE", "VERSION", "STATE"], rows)
}
