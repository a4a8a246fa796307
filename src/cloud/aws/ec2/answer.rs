//! What EC2 answers, out of its XML, and a console's output as lines fit for a screen. Pure.

use super::super::signed::xml::{LocalName, child, elements, parse};
use crate::cloud::Machine;
use crate::common::tags::TAG_STACK;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// Characters of a line.
const WIDTH: usize = 300;

/// One page of machines.
#[derive(Debug)]
pub(super) struct Page {
    pub(super) machines: Vec<Machine>,
    pub(super) next: Option<String>,
}

pub(super) fn instances(xml: &str) -> Result<Page, String> {
    let document = parse(xml)?;
    let sets = elements(document.root(), "instancesSet");
    let machines = sets
        .flat_map(|set| set.children().filter(|node| node.has_local_name("item")))
        .filter_map(|item| {
            let tags = item.children().find(|node| node.has_local_name("tagSet"));
            let mut tags = tags.into_iter().flat_map(|tags| tags.children());
            let of_stack = tags.find(|tag| child(*tag, "key").as_deref() == Some(TAG_STACK));
            Some(Machine {
                launched: child(item, "launchTime").and_then(|time| time.parse().ok()),
                instance: child(item, "instanceId")?,
                stack: of_stack.and_then(|tag| child(tag, "value")),
            })
        })
        .collect();
    Ok(Page {
        machines,
        next: child(document.root_element(), "nextToken").filter(|token| !token.is_empty()),
    })
}

/// The console's text; empty where there is none yet.
pub(super) fn output(xml: &str) -> Result<String, String> {
    let document = parse(xml)?;
    let encoded = child(document.root_element(), "output").unwrap_or_default();
    let packed: String = encoded.split_whitespace().collect();
    let bytes = STANDARD.decode(packed);
    let bytes = bytes.map_err(|error| format!("console output that is not base64 ({error})"))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The lines that say something, without colours and other control codes.
pub(super) fn lines(text: &str) -> Vec<String> {
    let plain = console::strip_ansi_codes(text);
    let lines = plain.split(['\n', '\r']).map(clean);
    lines.filter(|line| !line.is_empty()).collect()
}

fn clean(line: &str) -> String {
    let visible = line
        .chars()
        .map(|letter| if letter == '\t' { ' ' } else { letter })
        .filter(|letter| !letter.is_control());
    let line: String = visible.collect();
    let line = line.trim();
    if line.chars().count() <= WIDTH {
        return line.to_owned();
    }
    let kept: String = line.chars().take(WIDTH - 2).collect();
    format!("{kept} …")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn newest_instance_is_the_last_launched() {
        let item = |id: &str, time: &str| {
            format!(
                "<item><instancesSet><item><instanceId>{id}</instanceId><launchTime>{time}</launchTime>\
                 <blockDeviceMapping><item><instanceId>no</instanceId></item></blockDeviceMapping>\
                 <tagSet><item><key>kube-cfn/stack</key><value>pool-a</value></item></tagSet>\
                 <instanceState><name>terminated</name></instanceState></item></instancesSet></item>"
            )
        };
        let xml = format!(
            "<DescribeInstancesResponse xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\">\
             <reservationSet>{}{}</reservationSet><nextToken>two</nextToken>\
             </DescribeInstancesResponse>",
            item("i-new", "2026-11-23T10:00:00.000Z"),
            item("i-old", "2026-11-23T09:00:00.000Z"),
        );
        let page = instances(&xml).expect("an answer");
        assert_eq!(page.next.as_deref(), Some("two"));
        let ids = page.machines.iter().map(|one| one.instance.as_str());
        assert_eq!(ids.collect::<Vec<_>>(), ["i-new", "i-old"]);
        let stack = page.machines.first().and_then(|one| one.stack.as_deref());
        assert_eq!(stack, Some("pool-a"));
        let newest = page.machines.into_iter().max().map(|one| one.instance);
        assert_eq!(newest.as_deref(), Some("i-new"));
    }

    #[test]
    fn console_has_every_line_without_control_codes() {
        let mut text = "early\r\n".repeat(20);
        text.push_str("\x1b[0;32m[  OK  ]\x1b[0m Started\tcontainerd\r\n\r\n  \n\x07login: ");
        let all = lines(&text);
        assert_eq!(all.len(), 22, "the end of a boot may be far above");
        assert_eq!(all[19], "early");
        assert_eq!(all[20], "[  OK  ] Started containerd");
        assert_eq!(all[21], "login:");
        assert_eq!(lines(" \r\n"), Vec::<String>::new());
        let cut = lines(&"x".repeat(400));
        assert_eq!(cut[0].chars().count(), WIDTH);
    }

    #[test]
    fn console_output_is_decoded_and_may_be_missing() {
        let packed = STANDARD.encode("cloud-init: 403");
        let (first, rest) = packed.split_at(4);
        let xml = format!("<R><output>{first}\n{rest}\n</output></R>");
        assert_eq!(output(&xml).as_deref(), Ok("cloud-init: 403"));
        assert_eq!(
            output("<R><instanceId>i-1</instanceId></R>").as_deref(),
            Ok("")
        );
        assert!(output("<R><output>%</output></R>").is_err());
    }
}
