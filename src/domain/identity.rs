//! Who asks, for which model, in which session.

use std::fmt;
use std::sync::Arc;

macro_rules! name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// From its text.
            pub fn new(text: &str) -> Self {
                $name(text.into())
            }

            /// Its text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

name!(
    /// A team of `gateway.yaml`; `default` where none is configured.
    Team
);
name!(
    /// A model as the client names it.
    Model
);
name!(
    /// The client's session or conversation id, as far as it tells one.
    SessionId
);
name!(
    /// The id of one exchange, in every answer, event and log line.
    RequestId
);
name!(
    /// The first eight hex digits of a gateway key's digest: enough to find it, useless to an attacker.
    KeyId
);
