//! Texts of ordinary work, on which no rule may act.
