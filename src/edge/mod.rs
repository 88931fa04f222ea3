//! The only room that knows Pingora: listeners, phases to pipeline verbs, refusals to HTTP.
