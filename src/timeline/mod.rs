//! What the events of a run say of its course: spans of stacks and resources, critical path, slack.
//! Shown as a Gantt chart in the terminal or as one HTML page. Knows nothing of where events come from.
