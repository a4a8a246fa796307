//! The Gantt chart as one HTML page.
use super::Timeline;
use crate::templates::{TemplateError, Templates};
/// The page.
pub fn page(
    _timeline: &Timeline,
    _source: &str,
    _templates: &Templates,
) -> Result<String, TemplateError> {
    Ok(String::new())
}
