//! Tests of the decisions of a roll.
