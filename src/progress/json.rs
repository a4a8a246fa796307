//! The events themselves, one JSON object a line, for other programs. Nothing is added or left out.

use std::io::{self, Write};

use jiff::Timestamp;
use serde_json::json;

use super::Renderer;
use crate::common::terminal::escape_json;
use crate::events::Event;

/// Version of the stream; it rises when a field changes its meaning or goes away.
pub const SCHEMA: u32 = 1;

/// Shows events as NDJSON.
#[derive(Debug)]
pub struct JsonRenderer<W> {
    out: W,
    opened: bool,
}

impl<W: Write> JsonRenderer<W> {
    pub fn new(out: W) -> Self {
        Self { out, opened: false }
    }

    /// The first line tells readers what to expect, also of a run without events.
    fn open(&mut self) -> io::Result<()> {
        if std::mem::replace(&mut self.opened, true) {
            return Ok(());
        }
        writeln!(self.out, "{}", json!({"type": "version", "schema": SCHEMA}))
    }
}

impl<W: Write> Renderer for JsonRenderer<W> {
    fn render(&mut self, event: &Event) -> io::Result<()> {
        self.open()?;
        let line = serde_json::to_string(event)?;
        writeln!(self.out, "{}", escape_json(&line))?;
        self.out.flush()
    }

    fn tick(&mut self, _now: Timestamp) -> io::Result<()> {
        Ok(())
    }

    fn finish(&mut self, _now: Timestamp) -> io::Result<()> {
        self.open()?;
        self.out.flush()
    }
}
