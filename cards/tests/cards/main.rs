//! Uploads that mean harm, and cards as people get them.

mod hostile;
mod kit;
mod look;
mod mutations;
mod names;
mod svg;
