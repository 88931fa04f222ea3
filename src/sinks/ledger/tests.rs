//! The ledger from admission to outlet, under outlets and disks that fail.
