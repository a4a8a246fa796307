//! A local record of each run: its events, one JSON object a line, in the XDG state directory.
//! It serves timeline and durations alone: nothing is ever decided by it, and losing it loses nothing.
