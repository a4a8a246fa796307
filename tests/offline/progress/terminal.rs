//! A terminal that records what was written to it, line by line.

use std::io;
use std::sync::{Arc, Mutex};

use indicatif::{ProgressDrawTarget, TermLike};
use kube_cfn::progress::LiveRenderer;

/// Everything written, cursor moves left out.
#[derive(Debug, Clone, Default)]
pub struct Memory(Arc<Mutex<String>>);

impl Memory {
    pub fn text(&self) -> String {
        let text = self.0.lock().expect("one thread").clone();
        console::strip_ansi_codes(&text).into_owned()
    }

    /// A live block of 80x24 on this memory.
    pub fn live(&self) -> LiveRenderer {
        let target = ProgressDrawTarget::term_like_with_hz(Box::new(self.clone()), 255);
        LiveRenderer::new(target, Box::new(|| (80, 24)))
    }

    fn push(&self, text: &str) {
        self.0.lock().expect("one thread").push_str(text);
    }
}

impl TermLike for Memory {
    fn width(&self) -> u16 {
        80
    }

    fn height(&self) -> u16 {
        24
    }

    fn move_cursor_up(&self, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn move_cursor_down(&self, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn move_cursor_right(&self, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn move_cursor_left(&self, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn write_line(&self, text: &str) -> io::Result<()> {
        self.push(&format!("{text}\n"));
        Ok(())
    }

    fn write_str(&self, text: &str) -> io::Result<()> {
        self.push(text);
        Ok(())
    }

    fn clear_line(&self) -> io::Result<()> {
        Ok(())
    }

    fn flush(&self) -> io::Result<()> {
        Ok(())
    }
}
