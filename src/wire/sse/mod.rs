//! Server-sent events as frames of raw bytes: nothing is lost, whatever is put back together is what came. Messages of
//! a WebSocket are frames, too, whose data is all of them.

mod frame;
mod parser;

pub use frame::Frame;
pub use parser::{FrameTooLarge, Parser};

#[cfg(test)]
mod tests;
