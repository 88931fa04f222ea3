//! Temporary stand-in until the views and the seam land.
use super::{Engine, Hit, RuleSet, Stream};
use std::ops::Range;
pub struct Scanner { stream: Stream }
impl Scanner {
    pub fn new(rules: RuleSet, _views: bool) -> Self { Scanner { stream: Stream::new(rules) } }
    pub fn reset(&mut self, rules: &RuleSet) { self.stream.reset(rules.clone()) }
    pub fn context(&mut self, engine: &Engine, key: &str, rest: &str) { let s = format!("{key}{rest}"); self.stream.context(engine, s.as_bytes()) }
    pub fn push(&mut self, e: &Engine, t: &[u8], h: &mut Vec<Hit>) { self.stream.push(e, t, h) }
    pub fn finish(&mut self, e: &Engine, h: &mut Vec<Hit>) { self.stream.finish(e, h) }
    pub fn settled(&mut self) -> usize { self.stream.settled() }
}
pub struct SeamHit { pub rule: usize, pub pieces: Vec<(usize, Range<usize>)> }
pub struct Seam;
impl Seam {
    pub fn new(_r: RuleSet, _w: usize) -> Self { Seam }
    pub fn reset(&mut self) {}
    pub fn begin_segment(&mut self, _n: usize) {}
    pub fn push(&mut self, _t: &[u8]) {}
    pub fn end_segment(&mut self, _e: &Engine, _h: &mut Vec<SeamHit>) {}
}
