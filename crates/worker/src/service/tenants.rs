//! The tenants that a queue may speak for.

use std::collections::BTreeSet;
use std::str::FromStr;

use shenfen_core::{InvalidTenant, Tenant};

/// The tenants whose jobs a worker takes from its queue. Whoever may publish to a queue may name any of them, so a queue that is fed by
/// others than a service that knows its clients should carry one tenant only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum QueueTenants {
    /// All there are.
    All,
    /// These.
    Only(BTreeSet<Tenant>),
}

impl Default for QueueTenants {
    /// The default tenant only.
    fn default() -> QueueTenants {
        QueueTenants::Only(BTreeSet::from([Tenant::DEFAULT]))
    }
}

impl QueueTenants {
    /// Whether a message may name this tenant.
    pub(crate) fn allow(&self, tenant: Tenant) -> bool {
        match self {
            QueueTenants::All => true,
            QueueTenants::Only(tenants) => tenants.contains(&tenant),
        }
    }
}

/// `*`, or names separated by commas.
impl FromStr for QueueTenants {
    type Err = InvalidTenant;

    fn from_str(text: &str) -> Result<QueueTenants, InvalidTenant> {
        match text {
            "*" => Ok(QueueTenants::All),
            text => text.split(',').map(str::parse).collect::<Result<_, _>>().map(QueueTenants::Only),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn allow_those_that_are_named() {
        let [acme, globex] = ["acme", "globex"].map(|name| name.parse::<Tenant>().unwrap());
        let allowed = |text: &str| {
            let tenants: QueueTenants = text.parse().unwrap();
            [Tenant::DEFAULT, acme, globex].map(|tenant| tenants.allow(tenant))
        };
        assert_eq!(allowed("*"), [true; 3]);
        assert_eq!(allowed("acme"), [false, true, false]);
        assert_eq!(allowed("acme,default"), [true, true, false]);
        assert_eq!("default".parse(), Ok(QueueTenants::default()));
        for text in ["", "acme,", "*,acme", "Acme"] {
            assert!(text.parse::<QueueTenants>().is_err(), "{text}");
        }
    }
}
