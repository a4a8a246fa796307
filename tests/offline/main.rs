//! Tests that need no network.
