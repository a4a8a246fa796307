//! Whether files that nodes download can be had.

/// Publishers of files, and mirrors.
#[allow(async_fn_in_trait, reason = "one thread, no Send bound wanted")]
pub trait Downloads {
    /// Whether an address answers for a file, without loading it; the error says why not.
    async fn answers(&self, url: &str) -> Result<(), String>;
}
