//! The command line as a whole: what other parts advise has to be accepted.

mod advice;
