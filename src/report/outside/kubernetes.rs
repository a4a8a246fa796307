//! What a deletion does through Kubernetes first, and what it means where its API does not answer.

use super::DeletionView;
use super::contents::Contents;
use super::kept::more;
use super::page::{Mark, Page, SHOWN, listed};
use crate::common::text::{clean, count};
use crate::sweep::Seen;
use crate::sweep::kubernetes::{Objects, Volume, Workload};

/// What goes through Kubernetes.
pub(super) fn section(page: &mut Page, view: &DeletionView<'_>, contents: &Contents<'_>) {
    match view.kubernetes {
        Seen::NoApi => without_api(page, contents),
        Seen::Silent(why) => silent(page, why, view.delete_volumes),
        Seen::Objects(objects) => first(page, objects, view.delete_volumes),
    }
}

fn without_api(page: &mut Page, contents: &Contents<'_>) {
    if contents.removed.is_empty() && contents.lost_volumes.is_empty() {
        return;
    }
    let text = "Kubernetes has no API any more, so AWS's calls remove all of it.";
    page.line(2, text);
}

fn silent(page: &mut Page, why: &str, delete_volumes: bool) {
    let text = format!("Kubernetes does not answer: {}", clean(why));
    page.entry(2, Mark::Warning, &text);
    let volumes = if delete_volumes {
        "Volumes are deleted as soon as their machines are gone; nothing is shut down in order before that."
    } else {
        "Volumes are not deleted here, and are not protected from the cluster's own controllers while those still run."
    };
    let text = format!(
        "Its load balancers are removed by AWS's calls, once the machines are gone. Claims are known by the tags of their \
         volumes only: volumes of other drivers, and of claims that somebody bound to volumes of their own, are not \
         shown here. {volumes}"
    );
    page.line(5, &text);
}

fn first(page: &mut Page, objects: &Objects, delete_volumes: bool) {
    let Objects {
        services,
        // Their load balancers are removed by AWS's calls.
        ingresses: _,
        volumes,
        claims,
        workloads,
    } = objects;
    let mut lines = page.part();
    if !services.is_empty() {
        let text = format!("{} of type LoadBalancer", count(services.len(), "Service"));
        lines.entry(4, Mark::Removed, &text);
    }
    for service in services.iter().take(SHOWN) {
        let address = service.address.as_deref().unwrap_or("no address yet");
        let name = format!("{}/{}", service.namespace, service.name);
        lines.line(6, &listed([name, address.to_owned()]));
    }
    more(&mut lines, 6, services.len());
    if delete_volumes {
        stopping(&mut lines, workloads);
        if !claims.is_empty() {
            let text = format!("{}, with the volumes below", count(claims.len(), "claim"));
            lines.entry(4, Mark::Removed, &text);
        }
    } else {
        let is_open =
            |volume: &&Volume| volume.volume_id.is_some() && volume.reclaim_policy != "Retain";
        let lost = volumes.iter().filter(is_open);
        let number = lost.count();
        if number > 0 {
            let (verb, whose) = if number == 1 {
                ("gets", "its volume stays")
            } else {
                ("get", "their volumes stay")
            };
            let text = format!(
                "{} {verb} the reclaim policy Retain, so that {whose}",
                count(number, "PersistentVolume")
            );
            lines.entry(4, Mark::Kept, &text);
        }
    }
    if !lines.is_empty() {
        page.line(2, "through Kubernetes, before the first stack is deleted:");
        page.append(&lines);
    }
}

fn stopping(lines: &mut Page, workloads: &[Workload]) {
    if workloads.is_empty() {
        return;
    }
    let text = format!(
        "{} stopped first, as {} pods use claims:",
        count(workloads.len(), "workload"),
        if workloads.len() == 1 { "its" } else { "their" }
    );
    lines.entry(4, Mark::Removed, &text);
    for workload in workloads.iter().take(SHOWN) {
        let Workload {
            kind,
            namespace,
            name,
            replicas,
            operator,
        } = workload;
        let how = stopped(kind, *replicas);
        let operator = operator.as_ref();
        let operator = operator.map(|name| format!("{name} may start it again"));
        let name = format!("{kind} {namespace}/{name}");
        lines.line(6, &listed([name, how].into_iter().chain(operator)));
    }
    more(lines, 6, workloads.len());
}

/// What is done to one, as its kind is stopped.
fn stopped(kind: &str, replicas: Option<u32>) -> String {
    match (kind, replicas) {
        (_, Some(replicas)) => format!("scaled from {replicas} to zero"),
        ("Job" | "CronJob", None) => "suspended".to_owned(),
        ("DaemonSet" | "Pod", None) => "deleted".to_owned(),
        (_, None) => "its pods deleted".to_owned(),
    }
}
