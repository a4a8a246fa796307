//! Lines about what has parts: the wait for a cluster, and what is removed outside the stacks. A line is written when a
//! part changes.

use std::io::{self, Write};

use jiff::Timestamp;

use super::{EventColumns, LineRenderer};
use crate::events::Event;
use crate::progress::cluster_wait::{ClusterWait, is_ready, mark, whole_state};
use crate::progress::line::Mark;

/// The newest line about each part.
#[derive(Debug, Default)]
pub(super) struct PartLines(Vec<String>);

impl PartLines {
    /// Takes the lines of all parts in; which of them are new.
    fn changed(&mut self, lines: &[String]) -> Vec<bool> {
        let is_new = lines.iter().map(|line| !self.0.contains(line)).collect();
        self.0 = lines.to_vec();
        is_new
    }
}

impl<W: Write> LineRenderer<W> {
    /// A line about a cluster that is waited for.
    pub(super) fn wait_line(
        &mut self,
        at: Timestamp,
        wait: &ClusterWait,
        status: &str,
        text: &str,
    ) -> io::Result<()> {
        let columns = EventColumns {
            status,
            elapsed: Some(wait.waited(at)),
            ..EventColumns::default()
        };
        self.line(at, &columns, text)
    }

    /// A line for each part of a cluster that changed.
    pub(super) fn wait_lines(&mut self, at: Timestamp, is_first: bool) -> io::Result<()> {
        let Some(wait) = self.model.wait.clone() else {
            return Ok(());
        };
        if is_first {
            let (cluster, timeout) = (&wait.cluster, wait.timeout());
            let text = format!("{cluster}: waits for Kubernetes, at most {timeout}");
            self.wait_line(at, &wait, "waiting", &text)?;
            self.heartbeat_at = Some(at);
        }
        let texts: Vec<String> = wait.parts.iter().map(whole_state).collect();
        let changed = self.parts.changed(&texts);
        for ((part, text), is_new) in wait.parts.iter().zip(&texts).zip(changed) {
            // What can't be known yet is not worth a line.
            if !is_new || mark(part) == Mark::Waiting {
                continue;
            }
            let status = if is_ready(part) { "ready" } else { "waiting" };
            self.wait_line(at, &wait, status, text)?;
        }
        Ok(())
    }

    /// Heartbeats begin with a roll; its machines have lines of their own.
    pub(super) fn roll_lines(&mut self, at: Timestamp) {
        self.heartbeat_at.get_or_insert(at);
    }

    /// A line about a machine that is replaced.
    pub(super) fn machine_line(&mut self, event: &Event) -> io::Result<()> {
        let Event::Machine {
            at,
            stack,
            machine,
            step,
            detail,
        } = event
        else {
            return Ok(());
        };
        let roll = self.model.roll.as_ref();
        let columns = EventColumns {
            stack: Some(stack),
            logical_id: machine,
            status: step.as_str(),
            elapsed: roll.map(|roll| roll.span(*at)),
        };
        self.line(*at, &columns, detail)
    }

    /// A line for each kind outside the stacks that changed.
    pub(super) fn sweep_lines(&mut self, at: Timestamp) -> io::Result<()> {
        let Some(sweep) = self.model.sweeps.newest().cloned() else {
            return Ok(());
        };
        self.heartbeat_at.get_or_insert(at);
        let texts: Vec<String> = sweep.parts().map(|(_, text)| text).collect();
        let changed = self.parts.changed(&texts);
        for ((status, text), is_new) in sweep.parts().zip(changed) {
            if !is_new {
                continue;
            }
            let columns = EventColumns {
                status,
                elapsed: Some(sweep.span(at)),
                ..EventColumns::default()
            };
            self.line(at, &columns, &format!("outside the stacks: {text}"))?;
        }
        Ok(())
    }
}
